def kernels() -> list[tuple[str, str, bool]]: ...
def hash(algorithm: str, path: str, data: bytes, /) -> bytes: ...
def scan(
    algorithm: str,
    path: str,
    blob: bytes,
    limit: bytes,
    start: int,
    count: int,
    nonce_at: int,
    nonce_len: int,
    /,
) -> list[tuple[int, bytes]]: ...
