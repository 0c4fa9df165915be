"""Domains, organizations and domain mappers."""

from .domain import (
    Domain,
    DomainDependencyError,
    GlobalDomain,
    all_domains,
    create_domain,
    foobara_domain,
    get_domain,
    policy,
)
from .mappers import DomainMapper, DomainMapperRegistry, domain_mapper
from .organization import Organization, all_organizations, foobara_organization, get_organization

__all__ = [
    "Domain",
    "DomainDependencyError",
    "DomainMapper",
    "DomainMapperRegistry",
    "GlobalDomain",
    "Organization",
    "all_domains",
    "all_organizations",
    "create_domain",
    "domain_mapper",
    "foobara_domain",
    "foobara_organization",
    "get_domain",
    "get_organization",
    "policy",
]
