"""The servers know exactly the search attributes that the workflows use: the stack may not import the contracts' list."""

from contracts import search_attributes
from stack.temporal import SEARCH_ATTRIBUTES


def test_the_stack_registers_what_the_contracts_list() -> None:
    assert {key.name: key.indexed_value_type for key in search_attributes.ALL} == dict(SEARCH_ATTRIBUTES)
