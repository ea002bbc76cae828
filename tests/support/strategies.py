"""What hypothesis draws hostile input from, where more than one image is given it."""

import json

from hypothesis import strategies as st

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
"""Anything that JSON can say, and NaN."""


def bodies(*, like: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[bytes]:
    """Bodies of answers: any bytes, any JSON, and objects that look like what is expected."""
    return st.one_of(st.binary(max_size=200), st.one_of(json_values, like).map(lambda v: json.dumps(v).encode()))
