"""SanitizeHTMLTransformer, and SanitizedHTML as the type of a Pydantic field (extra ``html``: nh3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Self

from pydantic_core import PydanticCustomError, core_schema

from ..._backend import checks
from .._known import Known, function_of, is_plain_str
from .._masked import tagged
from ..processors import Transformer

__all__ = ["ATTRIBUTES", "TAGS", "URL_SCHEMES", "SanitizeHTMLTransformer", "SanitizedHTML"]

#: What is allowed where nothing else is said: emphasis, lists, quotes and links; no images, no styles.
TAGS: frozenset[str] = frozenset(
    {"a", "b", "blockquote", "br", "code", "em", "i", "li", "ol", "p", "pre", "strong", "ul"}
)
ATTRIBUTES: Mapping[str, frozenset[str]] = MappingProxyType({"a": frozenset({"href", "title"})})
URL_SCHEMES: frozenset[str] = frozenset({"http", "https", "mailto"})

_is_plain: Callable[[str], bool] = checks.is_plain_html


@dataclass(frozen=True, kw_only=True)
class SanitizeHTMLTransformer(Transformer[str]):
    """Removes from HTML what is not allowed: tags, attributes, URL schemes, comments, script and style.

    nh3 (the Rust library ammonia) parses it and writes it anew, so what comes out is well formed; a tag that
    is not allowed is dropped and its text stays, except for script and style, whose text is dropped too. Text
    without markup is returned as it is without asking nh3. Links get the *link_rel*. What is allowed is a
    closed list: no update of nh3 adds to it. Raises ImportError when nh3 is missing, ValueError or TypeError
    for options that mean nothing or allow code.
    """

    tags: Collection[str] = TAGS
    attributes: Mapping[str, Collection[str]] | None = field(default=None, hash=False)
    url_schemes: Collection[str] = URL_SCHEMES
    link_rel: str | None = "noopener noreferrer"

    def __post_init__(self) -> None:
        tags = _names("tags", self.tags)
        attributes = _attributes(self.attributes, tags)
        if self.link_rel is not None and not isinstance(self.link_rel, str):
            raise TypeError(f"link_rel is a str or None, not {type(self.link_rel).__name__}")
        schemes = _names("url_schemes", self.url_schemes)
        _refuse_code(tags, attributes, schemes)
        if self.link_rel is not None and any("rel" in names for names in attributes.values()):
            raise ValueError(
                "attributes may not hold rel while link_rel sets it: link_rel=None leaves it alone"
            )
        clean = (
            _nh3()
            .Cleaner(
                tags=set(tags),
                clean_content_tags=set(_CODE_TAGS),
                attributes={tag: set(names) for tag, names in attributes.items()},
                url_schemes=set(schemes),
                link_rel=self.link_rel,
            )
            .clean
        )
        own = {"tags": tags, "attributes": attributes, "url_schemes": schemes, "_clean": clean}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def process(self, value: str) -> str:
        """Return *value* with nothing in it that is not allowed; text without markup is returned as it is.

        Raises TypeError for anything but a str, ValueError for a lone surrogate, which no HTML can hold.
        """
        if type(value) is str and _is_plain(value):
            return value
        if not isinstance(value, str):
            raise TypeError(f"HTML is a str, not {type(value).__name__}")
        try:
            return self._clean(str.__str__(value))  # type: ignore[attr-defined, no-any-return]
        except UnicodeEncodeError as error:
            told = f"HTML has a lone surrogate (U+D800 to U+DFFF) at position {error.start}"
        raise ValueError(told)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self.tags, dict(self.attributes or {}), self.url_schemes, self.link_rel)

    def _core_schema(self, source: Any, handler: Any) -> Any:
        if source is not str:
            raise TypeError(
                "SanitizeHTMLTransformer stands directly at str, as in Annotated[str, ...] | None"
            )
        return core_schema.no_info_after_validator_function(self._of_field, handler(source))

    def __foobara_guard__(self, schema: Mapping[str, Any]) -> Known | None:
        ours = function_of(schema, "function-after") == self._of_field and is_plain_str(schema["schema"])
        return Known("html") if ours and type(self) is SanitizeHTMLTransformer else None

    def _of_field(self, value: str) -> str:
        return _sanitized(self.process, value)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        return {**_DESCRIBED, **handler(schema)}


_DESCRIBED = {"contentMediaType": "text/html", "examples": ["<p>Hello <em>world</em></p>"]}


_CODE_TAGS = ("script", "style")
# With scripts on, browsers read what stands in them in another way than a parser without does.
_RAW_TAGS = ("noembed", "noframes", "noscript", "plaintext", "xmp")
# What changes the page around the text, or brings in what no list here looks at.
_PAGE_TAGS = ("applet", "base", "embed", "frame", "frameset", "link", "meta", "object")
# URLs that nh3 does not look at.
_URL_ATTRIBUTES = (
    *("archive", "background", "cite", "classid", "codebase", "dynsrc", "imagesrcset", "longdesc", "lowsrc"),
    *("manifest", "profile", "srcset"),
)
_CODE_SCHEMES = ("javascript", "vbscript")


@cache
def _nh3() -> Any:
    try:
        import nh3
    except ImportError as error:
        raise ImportError("sanitizing HTML needs nh3: pip install 'foobara-accel[html]'") from error
    return nh3


def _made(cls: Any, tags: Any, attributes: Any, url_schemes: Any, link_rel: Any) -> Any:
    return cls(tags=tags, attributes=attributes, url_schemes=url_schemes, link_rel=link_rel)


def _names(option: str, value: Any) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, Collection):
        raise TypeError(f"{option} is a collection of names, not {type(value).__name__}")
    for each in value:
        if not isinstance(each, str):
            raise TypeError(f"{option} holds names, not {type(each).__name__}")
        if each != each.lower():
            raise ValueError(f"{option} holds {each!r}: HTML has it as {each.lower()!r}")
    return frozenset(value)


def _attributes(given: Any, tags: frozenset[str]) -> Mapping[str, frozenset[str]]:
    if given is None:
        return MappingProxyType({tag: names for tag, names in ATTRIBUTES.items() if tag in tags})
    if not isinstance(given, Mapping):
        raise TypeError(f"attributes maps a tag to names of attributes, not {type(given).__name__}")
    for tag in given:
        if not isinstance(tag, str):
            raise TypeError(f"attributes maps names of tags, not {type(tag).__name__}")
    allowed = {tag: _names(f"attributes[{tag!r}]", names) for tag, names in given.items()}
    if strange := sorted(allowed.keys() - tags - {"*"}):
        raise ValueError(f"attributes names tags that are not in tags: {', '.join(strange)}")
    return MappingProxyType(allowed)


def _refuse_code(
    tags: frozenset[str], attributes: Mapping[str, frozenset[str]], schemes: frozenset[str]
) -> None:
    names = {name for each in attributes.values() for name in each}
    for option, found in (
        ("tags", tags.intersection(_CODE_TAGS)),
        ("attributes", {name for name in names if name.startswith("on") or name == "srcdoc"}),
        ("url_schemes", schemes.intersection(_CODE_SCHEMES)),
    ):
        if found:
            raise ValueError(f"{option} may not hold {', '.join(sorted(found))}: what stands there is code")
    if found := names.intersection(_URL_ATTRIBUTES):
        raise ValueError(
            f"attributes may not hold {', '.join(sorted(found))}: url_schemes does not limit the URLs there"
        )
    if found := tags.intersection(_RAW_TAGS):
        raise ValueError(
            f"tags may not hold {', '.join(sorted(found))}: browsers do not agree on what it says"
        )
    if found := tags.intersection(_PAGE_TAGS):
        raise ValueError(
            f"tags may not hold {', '.join(sorted(found))}: it acts on the page that the text stands in"
        )
    if "data" in schemes and "iframe" in tags:
        raise ValueError(
            "url_schemes may not hold data where tags hold iframe: such a URL is a page with code"
        )


def _sanitized(process: Callable[[str], str], value: str) -> str:
    try:
        return process(value)
    except ValueError as error:
        raise PydanticCustomError("html", "{told}", {"told": str(error)}) from None


class SanitizedHTML(str):
    """HTML that went through SanitizeHTMLTransformer(): making one sanitizes.

    As the type of a Pydantic field it takes any str. Templates that ask for ``__html__`` (Jinja, Django)
    write it without escaping it again. Slices and sums of it are plain str.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        return value if type(value) is cls else super().__new__(cls, _default().process(value))

    def __html__(self) -> str:
        """Return the text, for templates."""
        return str.__str__(self)

    def __getnewargs__(self) -> tuple[str]:
        return (str.__str__(self),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        schema = core_schema.no_info_wrap_validator_function(
            cls._of_field, core_schema.str_schema(), serialization=core_schema.simple_ser_schema("str")
        )
        return tagged(schema, cls.__name__)

    @classmethod
    def _of_field(cls, value: Any, as_str: Callable[[Any], str]) -> str:
        return value if type(value) is cls else _sanitized(cls, as_str(value))

    @classmethod
    def __foobara_guard__(cls, schema: Mapping[str, Any]) -> Known | None:
        ours = function_of(schema, "function-wrap") == cls._of_field and is_plain_str(schema["schema"])
        if not ours or cls is not SanitizedHTML:
            return None
        try:
            _default()
        except ImportError:  # as it then is for each text, plain or not
            return None
        return Known("html", cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        return {**handler(core_schema.str_schema()), **_DESCRIBED}


@cache
def _default() -> SanitizeHTMLTransformer:
    return SanitizeHTMLTransformer()
