"""Headers that pay: they go out with the one request they belong to, and into no copy of it."""

from __future__ import annotations

import typing as t

import httpx


class SealedHeaders(httpx.Headers):
    """The headers `public`, and `secret` ones in place of theirs of the same names, which a copy does not have.

    A client that follows redirects makes the next request from a copy of the headers, and strips from it only what it
    knows to be a credential, which ``Payment-Authorization`` and ``TicketMiner-Pass`` are not.
    """

    def __init__(self, public: httpx.Headers, secret: t.Mapping[str, str]) -> None:
        self._secret = httpx.Headers(dict(secret))
        super().__init__([(name, value) for name, value in public.multi_items() if name not in self._secret])

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        return super().raw + self._secret.raw

    def keys(self) -> t.KeysView[str]:
        return dict(self.multi_items()).keys()

    def values(self) -> t.ValuesView[str]:
        return dict(self.items()).values()

    def items(self) -> t.ItemsView[str, str]:
        return {**dict(super().items()), **dict(self._secret.items())}.items()

    def multi_items(self) -> list[tuple[str, str]]:
        return super().multi_items() + self._secret.multi_items()

    def get_list(self, key: str, split_commas: bool = False) -> list[str]:
        return super().get_list(key, split_commas) + self._secret.get_list(key, split_commas)

    def __getitem__(self, key: str) -> str:
        return self._secret[key] if key in self._secret else super().__getitem__(key)

    def __contains__(self, key: t.Any) -> bool:
        return super().__contains__(key) or key in self._secret

    def __len__(self) -> int:
        return super().__len__() + len(self._secret)

    def __repr__(self) -> str:
        return f"SealedHeaders({super().__len__()} public, {len(self._secret)} sealed)"
