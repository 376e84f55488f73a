"""Parameters by their place: `?` in the text and `ordinal` in the list, which is undocumented and what drivers send
(recorded by databricks-jdbc, testsetobject). They become names that no statement has."""

import sqlglot
from sqlglot.errors import TokenError
from sqlglot.tokens import TokenType


def named(request):
    """The request with every `?` and every ordinal as a name."""
    parameters = request.get("parameters") or []
    if not any(parameter.get("ordinal") is not None for parameter in parameters):
        return request
    text = request["statement"]
    try:
        marks = [token for token in sqlglot.tokenize(text, read="databricks")
                 if token.token_type == TokenType.PLACEHOLDER]
    except TokenError:
        return request
    for place, mark in reversed(list(enumerate(marks, 1))):
        text = f"{text[:mark.start]}:{_name(place)}{text[mark.end + 1:]}"
    renamed = [parameter if parameter.get("ordinal") is None else {**parameter, "name": _name(parameter["ordinal"])}
               for parameter in parameters]
    return {**request, "statement": text, "parameters": renamed}


def _name(place):
    return f"_by_place_{place}"
