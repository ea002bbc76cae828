"""Words that made readers stop do not come back: in docs, comments and docstrings (not in messages yet)."""

import ast
import io
import re
import subprocess
import tokenize

from support.sandbox import REPO

WORDS = re.compile(
    r"\b(whence|lest|whoever|blotted|of one mind|anew|(?:cannot|could) be had|all the same)\b"
    r"|(?<!there )\bis no (?:model|picture|file|number)\b",
    re.IGNORECASE,
)
"""Write instead: from where, so that not, everyone who, replaced, agree, again, is not available, anyway, is not a."""


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=REPO, capture_output=True, text=True, check=True)
    return listed.stdout.split()


def prose(source: str) -> str:
    """The comments and docstrings of a Python file."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    plain = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr)]
    texts = [value.value for value in plain if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    return "\n".join([*comments, *texts])


def found(texts: dict[str, str]) -> dict[str, list[str]]:
    matches = {path: [match[0] for match in WORDS.finditer(text)] for path, text in texts.items()}
    return {path: words for path, words in matches.items() if words}


def test_documents_use_plain_words():
    assert found({path: (REPO / path).read_text(encoding="utf-8") for path in tracked("*.md")}) == {}


def test_comments_and_docstrings_use_plain_words():
    paths = tracked("images/*.py", "dags/*.py", "tools/*.py")
    assert found({path: prose((REPO / path).read_text(encoding="utf-8")) for path in paths}) == {}
