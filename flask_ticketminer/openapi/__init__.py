"""The OpenAPI 3.1 description of the endpoints, with this site's limits in it."""

from flask_ticketminer.openapi.document import openapi_document

__all__ = ["openapi_document"]
