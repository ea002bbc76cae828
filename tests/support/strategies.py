"""Hypothesis strategies for hostile input, shared by the tests of several images."""

import json

from hypothesis import strategies as st

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
"""Any JSON value, and NaN."""


def bodies(*, like: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[bytes]:
    """Response bodies: any bytes, any JSON, and objects similar to the expected ones."""
    return st.one_of(st.binary(max_size=200), st.one_of(json_values, like).map(lambda v: json.dumps(v).encode()))
