"""What is blank in a query counts as left out: a wrong value that is written as nothing is none."""

import schemathesis


@schemathesis.hook
def filter_query(context, query):
    return all(value not in (None, "", [], {}) for value in (query or {}).values())
