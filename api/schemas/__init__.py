"""The shapes of `docs/api.md` as pydantic models: what the endpoints validate with is what the OpenAPI document shows."""
