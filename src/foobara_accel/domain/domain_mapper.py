"""The domain mappers under the module path that foobara_py gives them."""

from __future__ import annotations

from .mappers import DomainMapper, DomainMapperRegistry, domain_mapper

__all__ = ["DomainMapper", "DomainMapperRegistry", "domain_mapper"]
