def openapi_document(site): return {}
