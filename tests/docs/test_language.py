"""Words that made readers stop do not come back: in docs, comments, docstrings and messages."""

import ast
import io
import re
import subprocess
import tokenize

import pytest

from support.sandbox import REPO

WORDS = re.compile(
    r"\b(whence|lest|whoever|blotted|of one mind|anew|(?:cannot|could) be had|all the same)\b"
    r"|(?<!there )\bis no (?:model|picture|file|number)\b",
    re.IGNORECASE,
)
"""Write instead: from where, so that not, everyone who, replaced, agree, again, is not available, anyway, is not a."""
IN_MESSAGES = re.compile(
    WORDS.pattern
    + r"|\b(refuses? us|refused us|dropped us|told to|takes? no|lacks|somebody|nobody|of ours|is not ours)\b"
    r"|\b(says? why|go(?:es)? on|from now on|too little|no whole|what answers|is left behind)\b"
    r"|(?<!there )\b(?:is|are|answers?|knows|holds) no \w+",
    re.IGNORECASE,
)
"""Write instead: permission denied, closed the connection, stopped, does not accept, missing, and a remedy."""


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


def messages(source: str) -> str:
    """The string literals of a Python file that are not docstrings."""
    nodes = list(ast.walk(ast.parse(source)))
    plain = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in plain]
    return "\n".join(text for text in texts if isinstance(text, str))


def found(texts: dict[str, str], words: re.Pattern[str] = WORDS) -> dict[str, list[str]]:
    matches = {path: [match[0] for match in words.finditer(text)] for path, text in texts.items()}
    return {path: words for path, words in matches.items() if words}


def test_documents_use_plain_words():
    assert found({path: (REPO / path).read_text(encoding="utf-8") for path in tracked("*.md")}) == {}


def test_comments_and_docstrings_use_plain_words():
    paths = tracked("images/*.py", "dags/*.py", "tools/*.py")
    assert found({path: prose((REPO / path).read_text(encoding="utf-8")) for path in paths}) == {}


def test_messages_use_plain_words():
    paths = tracked("images/*/src/*.py", "dags/*.py", "tools/src/*.py")
    assert found({path: messages((REPO / path).read_text(encoding="utf-8")) for path in paths}, IN_MESSAGES) == {}


@pytest.mark.parametrize(
    "message",
    [
        "the database refuses us: permission denied",
        "--until 'x' is no ISO 8601 timestamp",
        "told to stop while training; a retry goes on from the checkpoint",
    ],
    ids=["refuses-us", "is-no", "told"],
)
def test_an_old_message_is_found(message):
    assert found({"module.py": messages(f"raise ValueError({message!r})")}, IN_MESSAGES)
