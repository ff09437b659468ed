"""
What pydantic says about a file, put into words for the person who wrote the file.

What is allowed at a place is read from the JSON schema of the settings, so that the words
are true for every option without being written down a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from pydantic import BaseModel, ValidationError

from mailgate.config.problem import Problem, as_key, as_toml, nearest

Schema = dict[str, Any]


def explain(error: ValidationError, model: type[BaseModel], file: Path) -> list[Problem]:
    """
    Give a problem for each mistake that was found while C{file} was read into C{model}.
    """
    root = model.model_json_schema()
    return [
        _problem(mistake, root, file)
        for mistake in error.errors(include_url=False)
        if not _is_echo(mistake)
    ]


def _is_echo(mistake: Any) -> bool:
    """
    Tell whether a list is called too short only because its entries were refused.
    """
    return mistake["type"] == "too_short" and bool(mistake["input"])


def _problem(mistake: Any, root: Schema, file: Path) -> Problem:
    kind, location, value = mistake["type"], mistake["loc"], mistake["input"]
    if location[-1] == "[key]":
        allowed = describe(_locate(location[:-2], root).schema["propertyNames"], root)
        table = _locate(location[:-1], root).table
        return Problem(file, table, "", "", f"the name in its header must be {allowed}")
    place = _locate(location, root)
    if kind == "extra_forbidden":
        return _unknown(place, value, root, file)
    if kind.startswith("union_tag") and isinstance(value, dict):
        # The table is there, but its C{kind} is missing or none of ours.
        choice = place.schema["discriminator"]
        place = evolve(place, key=choice["propertyName"], schema={"enum": [*choice["mapping"]]})
        kind, value = ("enum", value[place.key]) if place.key in value else ("missing", None)
    allowed = f"must be {describe(place.schema, root, place.key or '.'.join(place.path))}"
    if kind == "missing":
        return Problem(file, place.table, place.key, "", f"is missing; it {allowed}")
    if kind == "value_error":
        allowed = str(mistake["ctx"]["error"])
    return Problem(file, place.table, place.key, as_toml(value), allowed)


def _unknown(place: _Place, value: Any, root: Schema, file: Path) -> Problem:
    known = sorted(place.schema["properties"])
    near = nearest(place.key, known)
    hint = "" if near else f"; known here are {', '.join(known)}"
    owners = [
        header
        for header, keys in _tables(root)
        if place.key in keys
        # A table of that name is none of the places where a number may stand.
        and (isinstance(value, dict) or not _is_table(_resolve(keys[place.key], root)))
    ]
    if owners:
        near, hint = "", f"; there is one {' and '.join(owners)}"
    is_tables = isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    if isinstance(value, dict) or is_tables:
        header = _header((*place.path, place.key), is_list=is_tables)
        return Problem(file, header, "", "", f"there is no such table{hint}", near)
    return Problem(
        file, place.table, place.key, as_toml(value), f"there is no such key{hint}", near
    )


def _tables(root: Schema) -> Iterator[tuple[str, Mapping[str, Schema]]]:
    """
    Give each table whose name is fixed, in words, with its keys.
    """
    waiting = [_Place(root)]
    for place in waiting:
        where = f"in {place.table}" if place.path else "before the first table"
        yield where, place.schema.get("properties", {})
        inner = (_step(place, key, root) for key in place.schema.get("properties", ()))
        waiting.extend(each for each in inner if not each.key and "properties" in each.schema)


# -- where ------------------------------------------------------------------------------


@frozen
class _Place:
    """
    A place in the file, and the schema of what may stand there.
    """

    schema: Schema
    path: tuple[str, ...] = ()
    """The keys that lead to the innermost table."""

    number: int | None = None
    """Which one of several tables of the same header, from 1."""

    key: str = ""
    """The key in that table."""

    @property
    def table(self) -> str:
        """
        Give the header of the table.
        """
        if self.number is None:
            return _header(self.path, is_list=False)
        return f"{_header(self.path, is_list=True)} number {self.number}"


def _header(path: Sequence[str], *, is_list: bool) -> str:
    if not path:
        return ""
    name = ".".join(map(as_key, path))
    return f"[[{name}]]" if is_list else f"[{name}]"


def _locate(location: Sequence[str | int], root: Schema) -> _Place:
    place = _Place(root)
    for step in location:
        place = _step(place, step, root)
    return place


def _step(place: _Place, step: str | int, root: Schema) -> _Place:
    schema = place.schema
    if isinstance(step, int):
        inner = _resolve(schema["items"], root)
        if _is_table(inner):
            return _Place(inner, (*place.path, place.key), step + 1)
        return evolve(place, schema=inner)
    if "discriminator" in schema and step in schema["discriminator"]["mapping"]:
        # The kind that pydantic chose is no key of the file.
        return evolve(place, schema=_resolve_name(schema["discriminator"]["mapping"][step], root))
    found = schema.get("properties", {}).get(step) or _entry(schema)
    if found is None:
        return evolve(place, key=step)
    inner = _resolve(found, root)
    if _is_table(inner):
        return evolve(place, schema=inner, path=(*place.path, step), key="")
    return evolve(place, schema=inner, key=step)


def _entry(schema: Schema) -> Schema | None:
    """
    Give the schema of what stands under any name, in a table whose keys are names.
    """
    allowed = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    return next((each for each in allowed if isinstance(each, dict)), None)


def _is_table(schema: Schema) -> bool:
    return schema.get("type") == "object" or "discriminator" in schema


def _resolve(schema: Schema, root: Schema) -> Schema:
    if "$ref" in schema:
        return _resolve_name(schema["$ref"], root)
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolve(option, root)
    return schema


def _resolve_name(reference: str, root: Schema) -> Schema:
    definition: Schema = root["$defs"][reference.rpartition("/")[2]]
    return definition


# -- what -------------------------------------------------------------------------------


def describe(schema: Schema, root: Schema, name: str = "NAME") -> str:
    """
    Say in words what a schema allows, as in "a whole number from 1 to 100".

    @param name: the key under which it stands, for the headers of tables.
    """
    schema = _resolve(schema, root)
    if "enum" in schema:
        return f"one of {', '.join(map(as_toml, schema['enum']))}"
    if "const" in schema:
        return as_toml(schema["const"])
    if schema.get("type") == "array":
        items = _resolve(schema["items"], root)
        if _is_table(items):
            return f"one or more tables, each under [[{name}]]"
        least = "one or more values" if schema.get("minItems") else "values"
        return f"a list in brackets of {least}, each {describe(items, root)}"
    if (entry := _entry(schema)) and _is_table(_resolve(entry, root)):
        return f"one or more tables, each under [{name}.NAME]"
    if _is_table(schema):
        return "a table"
    if schema.get("type") in ("integer", "number"):
        noun = "a whole number" if schema["type"] == "integer" else "a number"
        return " ".join(filter(None, (noun, _range(schema))))
    words: str = schema.get("description", "text in quotes")
    return words


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    if least is not None and most is not None:
        return f"from {least} to {most}"
    if least is not None:
        return f"of at least {least}"
    if above is not None and most is not None:
        return f"above {above} and at most {most}"
    if above is not None:
        return f"above {above}"
    return "" if most is None else f"of at most {most}"
