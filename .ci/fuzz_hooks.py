"""What is blank in a query counts as left out: a wrong value that is written as nothing is none."""

import schemathesis


def is_blank(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return all(is_blank(one) for one in value)
    return value is None or (isinstance(value, str) and not value.strip())


@schemathesis.hook
def filter_query(context, query):
    return not any(is_blank(value) for value in (query or {}).values())
