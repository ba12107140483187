"""What the document of the API says of bodies with files, which FastAPI does not read itself."""

from collections.abc import Mapping
from typing import Any

from freeda_svc.api.fields import REQUEST
from freeda_svc.api.uploads import FORM, JSON, AcceptedBodies
from freeda_svc.parameters import Model

_FILE = {"type": "string", "format": "binary"}
_LIST = "A list: as JSON, or its entries with commas between them."


def documented_body(
    model: type[Model], bodies: AcceptedBodies, files: Mapping[str, str], *, fields_as_json: bool = False
) -> dict[str, Any]:
    """Return what a route adds to the document: the body in all the ways it is taken, and the fields of a query.

    Args:
        model: of the fields.
        bodies: that are taken.
        files: what each of the form's fields is that hold files, by name.
        fields_as_json: whether a body of JSON holds the fields, and names the files.
    """
    schema = without_references(model.model_json_schema())
    fields = {name: _as_text(field) for name, field in schema["properties"].items()}
    form = {
        "type": "object",
        "properties": {
            **{
                name: {"type": "array", "items": _FILE, "maxItems": bodies.most_files, "description": text}
                for name, text in files.items()
            },
            REQUEST: {**schema, "description": "All fields as one JSON object, in place of single ones."},
            **fields,
        },
        **({} if fields_as_json else {"required": [next(iter(files))]}),
        "additionalProperties": False,
    }
    content = {
        FORM: {"schema": form, "encoding": {REQUEST: {"contentType": "application/json"}}},
        **{kind: {"schema": _FILE} for kind in bodies.content_types},
        **({JSON: {"schema": schema}} if fields_as_json else {}),
    }
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": field,
            "description": f"Where the body is one file: {field.get('description', '')}",
        }
        for name, field in fields.items()
        if set(bodies.content_types) - {JSON}
    ]
    return {"requestBody": {"required": True, "content": content}, "parameters": parameters}


def documented_query(model: type[Model]) -> dict[str, Any]:
    """Return what a route adds to the document whose query holds the fields of a model."""
    fields = without_references(model.model_json_schema())["properties"]
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "schema": {key: value for key, value in field.items() if key != "description"},
                "description": field["description"],
            }
            for name, field in fields.items()
        ]
    }


def _as_text(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a field as it is written in a form: a list is a text."""
    kinds = {option.get("type") for option in field.get("anyOf", [field])}
    described = {"description": field.get("description", "")}
    if None in kinds:
        return {"type": "string", "description": f"{described['description']} As JSON."}
    if "array" in kinds:
        return {"type": "string", "description": f"{described['description']} {_LIST}"}
    options = [option for option in field.get("anyOf", [field]) if option.get("type") != "null"]
    kept = options[0] if len(options) == 1 else {"type": "string"}
    return {**{key: value for key, value in kept.items() if key != "default"}, **described}


def without_references(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema with its definitions in the places that refer to them."""
    definitions = schema.get("$defs", {})

    def resolved(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
        if isinstance(node, list):
            return [resolved(part) for part in node]
        if not isinstance(node, Mapping):
            return node
        if "$ref" in node:
            node = {
                **definitions[str(node["$ref"]).rpartition("/")[2]],
                **{k: v for k, v in node.items() if k != "$ref"},
            }
        return {key: resolved(value) for key, value in node.items() if key != "$defs"}

    found: dict[str, Any] = resolved(schema)
    return found
