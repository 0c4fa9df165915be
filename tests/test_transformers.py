"""Sanitizing, capitalizing and hashing: what comes out, what is refused, and that plain text stays."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import importlib
import os
import pickle
import re
import sys
import threading
import types
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Annotated, Any
from unittest.mock import Mock

import pytest
from hypothesis import example, given, strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    create_model,
    field_validator,
)

import foobara_accel
from foobara_accel.testing import load_twin

Sub = Callable[[str], ModuleType]

CARD, IBAN = "4111111111111111", "GB82WEST12345698765432"
PASSWORD = "correct horse battery"
PEPPERS = {"2025": b"o" * 32, "2026-11": SecretBytes(b"n" * 40)}
CHEAP = {"time_cost": 1, "memory_cost": 64, "parallelism": 1}


@pytest.fixture(scope="session")
def transformers(sub: Sub) -> ModuleType:
    return sub("types.transformers")


class Text(str):
    """A str whose own methods must not be asked."""

    def encode(self, *args: object) -> bytes:
        return b"9"

    def __str__(self) -> str:
        return "9"


def twins(path: str) -> list[ModuleType]:
    packages = [load_twin("py")]
    if foobara_accel.backend().compiled:
        packages.append(foobara_accel)
    return [importlib.import_module(f"{each.__name__}.{path}") for each in packages]


def test_the_roadmaps_names_lead_to_them(sub: Sub, transformers: ModuleType) -> None:
    additional = sub("types.transformers.additional")
    assert dir(additional) == sorted(additional.__all__) and dir(transformers) == sorted(transformers.__all__)
    for name in ("CapitalizeTransformer", "HashTransformer", "SanitizeHTMLTransformer"):
        assert getattr(additional, name) is getattr(transformers, name) is getattr(sub("types"), name)
        assert issubclass(getattr(transformers, name), sub("types.processors").Transformer)
    for module in (additional, transformers):
        with pytest.raises(AttributeError, match="no attribute 'ROT13Transformer'"):
            module.ROT13Transformer  # noqa: B018


# Words


@pytest.mark.parametrize(
    ("text", "capitalized"),
    [
        ("", ""),
        ("they're here", "They're Here"),
        ("  two  spaces\tand\n\nlines ", "  Two  Spaces\tAnd\n\nLines "),
        ("McDONALD o'neill-smith", "Mcdonald O'neill-smith"),
        ("élan öl ñu", "Élan Öl Ñu"),
        ("ǆungla ﬁsh ßtraße", "ǅungla Fish Sstraße"),
        ("ΟΔΟΣ ΣΑΣ", "Οδος Σας"),
        ("a\xa0b\u2003c\x1cd", "A\xa0B\u2003C\x1cD"),
        ("4th (of) july", "4th (of) July"),
        ("a\ud800b", "A\ud800b"),
    ],
)
def test_each_word_begins_with_a_capital(transformers: ModuleType, text: str, capitalized: str) -> None:
    transformer = transformers.CapitalizeTransformer()
    assert transformer.process(text) == transformer(text) == capitalized


def test_a_str_subclass_is_read_by_its_characters(transformers: ModuleType) -> None:
    class Odd(str):
        def split(self, *args: object) -> list[str]:  # type: ignore[override]
            return ["x"]

        def isprintable(self) -> bool:
            return True

    assert transformers.CapitalizeTransformer().process(Odd("two\twords")) == "Two\tWords"


@given(st.text())
@example("a \x85b")
def test_words_are_what_split_finds_and_blanks_stay(text: str) -> None:
    done = foobara_accel.types.CapitalizeTransformer().process(text)  # type: ignore[attr-defined]
    assert done.split() == [word.capitalize() for word in text.split()]
    assert [part for part in re.split(r"\S+", done) if part] == [
        part for part in re.split(r"\S+", text) if part
    ]


@pytest.mark.parametrize("name", ["CapitalizeTransformer", "SanitizeHTMLTransformer"])
def test_anything_but_text_is_a_type_error(transformers: ModuleType, name: str) -> None:
    pytest.importorskip("nh3")
    for value in (None, 5, b"x", ["x"]):
        with pytest.raises(TypeError, match=f"is a str, not {type(value).__name__}$"):
            getattr(transformers, name)().process(value)


# HTML


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ("<b>x</b>", "<b>x</b>"),
        ("<b>x", "<b>x</b>"),
        ("<script>alert(1)</script>x<style>p{}</style>", "x"),
        ("<img src=x onerror=alert(1)>", ""),
        ("<p onclick=alert(1) style='color:red'>x</p>", "<p>x</p>"),
        ("<a href='javascript:alert(1)'>x</a>", '<a rel="noopener noreferrer">x</a>'),
        ("<a href='JaVaScRiPt:alert(1)'>x</a>", '<a rel="noopener noreferrer">x</a>'),
        ("<a href='data:text/html,x'>x</a>", '<a rel="noopener noreferrer">x</a>'),
        (
            "<a href='https://e.com' title=t target=_blank>x</a>",
            '<a href="https://e.com" title="t" rel="noopener noreferrer">x</a>',
        ),
        ("<!-- x -->y", "y"),
        ("<h1>x</h1>", "x"),
        ("a & b < c > d", "a &amp; b &lt; c &gt; d"),
        ("&lt;script&gt;", "&lt;script&gt;"),
        ("a\r\nb\0", "a\nb"),
        ("a\xa0b", "a&nbsp;b"),
        ("\ufeffa", "a"),
        ("<svg><style><img src=x onerror=alert(1)></style></svg>", ""),
        ("<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", ""),
    ],
)
def test_what_is_not_allowed_goes(transformers: ModuleType, html: str, clean: str) -> None:
    pytest.importorskip("nh3")
    assert transformers.SanitizeHTMLTransformer().process(html) == clean


def test_text_without_markup_is_the_same_object(transformers: ModuleType) -> None:
    pytest.importorskip("nh3")
    transformer = transformers.SanitizeHTMLTransformer()
    for text in ("", "plain", "grüße", "привет", "😀 hi", "x" * 100_000, "\t\n a\ufeff", "п" * 77, "😀" * 33):
        assert transformer.process(text) is text
    shouted = Text("plain <b>text</b>")
    assert transformer.process(shouted) == "plain <b>text</b>"
    assert type(transformer.process(Text("plain"))) is str and transformer.process(Text("plain")) == "plain"


def test_a_lone_surrogate_is_no_html(transformers: ModuleType) -> None:
    pytest.importorskip("nh3")
    with pytest.raises(ValueError, match=r"lone surrogate .* at position 2$") as caught:
        transformers.SanitizeHTMLTransformer().process("ab\udc80secret")
    assert not isinstance(caught.value, UnicodeEncodeError)


def test_every_character_is_plain_exactly_when_nh3_leaves_it(sub: Sub) -> None:
    nh3 = pytest.importorskip("nh3")
    plain, clean = sub("_backend").checks.is_plain_html, nh3.Cleaner(tags={"b"}, attributes={}).clean
    changed = ["\0", "\r", "&", "<", ">", "\xa0", "\ufeff"]
    kept = "".join(
        chr(code)
        for code in range(sys.maxunicode + 1)
        if not 0xD800 <= code <= 0xDFFF and chr(code) not in changed
    )
    # What all of them are together each of them is.
    assert clean(kept) == kept and plain(kept) is True
    assert all(plain(kept[at : at + 64]) for at in range(0, len(kept), 64))
    for char in changed:
        assert clean(char) != char and plain(char) is False
    assert not [code for code in range(0xD800, 0xE000) if plain(chr(code)) or plain(f"x{chr(code)}")]


@pytest.mark.parametrize("special", ["\0", "\r", "&", "<", ">", "\xa0", "\ud800", "\udfff"])
def test_what_nh3_changes_is_found_at_every_place(sub: Sub, special: str) -> None:
    plain = sub("_backend").checks.is_plain_html
    for filler in ("a", "é", "п", "😀"):
        for length in (0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 65):
            text = filler * length
            assert plain(text) is True
            for at in range(length + 1):
                assert plain(text[:at] + special + text[at:]) is False, (filler, length, at)


@given(st.text(alphabet=st.characters(max_codepoint=0x7F)) | st.text(max_size=20))
@example("".join(map(chr, range(128))) * 2)
@example("".join(f"a{chr(code)}bC" for code in range(128)))
def test_ascii_words_are_those_of_str_capitalize(text: str) -> None:
    want = re.sub(r"\S+", lambda word: word[0].capitalize(), text)
    for module in twins("_backend"):
        assert module.checks.capitalized_ascii(text) == (want if text.isascii() else None)
        assert module.checks.capitalized_ascii(Text(text)) is None
    for module in twins("types.transformers"):
        assert module.CapitalizeTransformer().process(text) == want


@pytest.fixture(params=[1, 2])
def vectors(request: pytest.FixtureRequest, sub: Sub) -> int:
    """The vectors that look for markup: 1 those that every x86-64 has, 2 the widest here."""
    limit = getattr(sub("_backend").checks, "_html_limit", None)
    if limit is None:
        pytest.skip("the pure twin has no vectors")
    level = limit(request.param)
    request.addfinalizer(lambda: limit(2))
    if level < request.param:
        pytest.skip("this processor has none so wide")
    return level


@pytest.mark.parametrize("filler", ["a", "=", "é", "п", "豈", "😀"])
def test_a_long_text_is_searched_to_the_last_character(sub: Sub, vectors: int, filler: str) -> None:
    plain = sub("_backend").checks.is_plain_html
    for length in (127, 128, 129, 160, 191, 255, 256, 257, 383, 515):
        text = filler * length
        assert plain(text) is True
        for special in ("\0", "\r", "&", "<", ">", "\xa0", "\ud800", "\udfff"):
            for at in range(length):
                assert plain(text[:at] + special + text[at + 1 :]) is False, (special, length, at)


def test_vectors_find_exactly_what_is_to_be_found(sub: Sub, vectors: int) -> None:
    plain, found = sub("_backend").checks.is_plain_html, "\0\r&<>\xa0"
    for wide in ("", "п", "😀"):  # characters of one, two and four bytes
        last = 0xFF if not wide else 0xFFFF if wide == "п" else sys.maxunicode
        codes = range(last + 1) if last < 0x10000 else range(0, last, 97)
        for code in codes:
            text = "a" * 130 + chr(code) + wide + "a" * 130
            assert plain(text) is not (chr(code) in found or 0xD800 <= code <= 0xDFFF), hex(code)


def test_plain_is_asked_of_a_str_alone(sub: Sub) -> None:
    plain = sub("_backend").checks.is_plain_html
    for value in (None, 5, b"x"):
        with pytest.raises(TypeError, match=rf"^is_plain_html\(\) takes a str, not {type(value).__name__}$"):
            plain(value)
    assert plain(Text("a<b")) is False and plain(Text("ab")) is True
    assert plain("\ufeffa") is False and plain("a\ufeff") is True and plain("\ufeff😀") is False


MARKUP = st.sampled_from(
    [
        "<b>",
        "</b>",
        "<script>",
        "<a href='x:y'>",
        "&amp;",
        "&",
        "<!--",
        "-->",
        "\r",
        "\0",
        "\ufeff",
        "\xa0",
        "plain",
        " ",
    ]
)
HTML = st.text() | st.lists(MARKUP | st.text(max_size=5)).map("".join)
CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"tags": [], "link_rel": None},
    {"tags": ["a", "img"], "attributes": {"img": ["src"], "*": ["id"]}, "url_schemes": ["https", "data"]},
]


@given(html=HTML, options=st.sampled_from(CONFIGURATIONS))
@example(html="\ufeff", options={})
@example(html="\n", options={})
@example(html="\t\x0b\x0c\x1c", options={"tags": []})
def test_both_backends_answer_as_nh3_does(html: str, options: dict[str, Any]) -> None:
    nh3 = pytest.importorskip("nh3")
    for module in twins("types.transformers"):
        ours = module.SanitizeHTMLTransformer(**options)
        theirs = nh3.Cleaner(
            tags=set(ours.tags),
            attributes={tag: set(names) for tag, names in ours.attributes.items()},
            clean_content_tags={"script", "style"},
            url_schemes=set(ours.url_schemes),
            link_rel=ours.link_rel,
        )
        try:
            expected = theirs.clean(html)
        except UnicodeEncodeError:
            with pytest.raises(ValueError, match="lone surrogate"):
                ours.process(html)
        else:
            assert ours.process(html) == expected


@given(st.text(alphabet=st.sampled_from("ab\0\r&<>\xa0\ufeffé\ud800п\udfff😀"), max_size=80))
def test_the_twins_find_the_same_text_plain(text: str) -> None:
    verdicts = {module.checks.is_plain_html(text) for module in twins("_backend")}
    assert len(verdicts) == 1


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"tags": "b"}, TypeError, "tags is a collection of names, not str"),
        ({"tags": [5]}, TypeError, "tags holds names, not int"),
        ({"tags": ["B"]}, ValueError, "tags holds 'B': HTML has it as 'b'"),
        ({"tags": ["script", "b"]}, ValueError, "tags may not hold script: what stands there is code"),
        ({"tags": ["noscript"]}, ValueError, "tags may not hold noscript: browsers do not agree"),
        ({"attributes": {"img": ["src"]}}, ValueError, "attributes names tags that are not in tags: img"),
        ({"attributes": {"a": ["onclick"]}}, ValueError, "attributes may not hold onclick: "),
        ({"tags": ["p", "meta", "base"]}, ValueError, "tags may not hold base, meta: it acts on the page"),
        ({"tags": ["iframe"], "url_schemes": ["data"]}, ValueError, "url_schemes may not hold data where"),
        ({"attributes": {"*": ["srcdoc"]}}, ValueError, "attributes may not hold srcdoc: "),
        ({"attributes": {"a": "href"}}, TypeError, r"attributes\['a'\] is a collection of names, not str"),
        ({"attributes": ["a"]}, TypeError, "attributes maps a tag to names of attributes, not list"),
        (
            {"attributes": {"a": ["rel"]}},
            ValueError,
            "rel while link_rel sets it: link_rel=None leaves it alone",
        ),
        ({"url_schemes": ["javascript"]}, ValueError, "url_schemes may not hold javascript: "),
        (
            {"tags": ["q"], "attributes": {"q": ["cite"]}},
            ValueError,
            "may not hold cite: url_schemes does not",
        ),
        ({"attributes": {"*": ["srcset"]}}, ValueError, "may not hold srcset: url_schemes does not"),
        ({"url_schemes": ["HTTPS"]}, ValueError, "HTML has it as 'https'"),
    ],
)
def test_options_that_allow_code_or_mean_nothing_are_refused(
    transformers: ModuleType, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    pytest.importorskip("nh3")
    with pytest.raises(error, match=told):
        transformers.SanitizeHTMLTransformer(**options)


def test_a_sanitizer_is_a_value(transformers: ModuleType) -> None:
    pytest.importorskip("nh3")
    cls = transformers.SanitizeHTMLTransformer
    one = cls(tags=["a", "b"], attributes={"a": ["href"]}, url_schemes={"https"}, link_rel=None)
    assert one.process("<b><a href='https://e.com'>x</a>") == '<b><a href="https://e.com">x</a></b>'
    for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert again == one and hash(again) == hash(one) and again.process("<b><i>x") == "<b>x</b>"
    assert one != cls() and cls().attributes == {"a": {"href", "title"}} and "img" not in cls().tags
    with pytest.raises(TypeError):
        one.attributes["a"] = frozenset()
    with pytest.raises(AttributeError):
        one.tags = ()


def test_html_as_the_type_of_a_field(transformers: ModuleType) -> None:
    pytest.importorskip("nh3")
    html = transformers.SanitizedHTML
    adapter = TypeAdapter(html)
    made = adapter.validate_python("<b>x</b><script>1</script>")
    assert type(made) is html and made == "<b>x</b>" and made.__html__() == "<b>x</b>"
    assert type(made.__html__()) is str
    assert adapter.validate_python(made) is made is html(made) and adapter.validate_json('"<i>"') == "<i></i>"
    assert adapter.dump_json(made) == b'"<b>x</b>"' and adapter.dump_python(made) == made
    assert pickle.loads(pickle.dumps(made)) == made and type(copy.deepcopy(made)) is html
    assert type(made + "<script>") is str and type(made[:1]) is str
    schema = adapter.json_schema()
    assert (schema["type"], schema["contentMediaType"]) == ("string", "text/html") and schema["examples"]
    assert adapter.json_schema(mode="serialization") == schema
    for wrong, symbol in ((5, "string_type"), ("\ud800", "html")):
        with pytest.raises(ValidationError) as caught:
            adapter.validate_python(wrong)
        assert [error["type"] for error in caught.value.errors()] == [symbol]
    own = TypeAdapter(Annotated[str, transformers.SanitizeHTMLTransformer(tags=[])])
    assert own.validate_python("<b>x</b>") == "x"
    with pytest.raises(TypeError, match=r"stands directly at str, as in Annotated\[str"):
        TypeAdapter(Annotated[int, transformers.SanitizeHTMLTransformer()])


def test_templates_do_not_escape_it_again(transformers: ModuleType) -> None:
    pytest.importorskip("nh3")
    markupsafe = pytest.importorskip("markupsafe")
    assert markupsafe.escape(transformers.SanitizedHTML("<b>x")) == "<b>x</b>"


# Hashes


def fingerprint(transformers: ModuleType, algorithm: str = "sha256") -> Any:
    return transformers.HashTransformer(algorithm, purpose="fingerprint")


def lookup(transformers: ModuleType, **options: Any) -> Any:
    return transformers.HashTransformer(purpose="lookup", peppers=PEPPERS, **options)


def passwords(transformers: ModuleType, **options: Any) -> Any:
    return transformers.HashTransformer(purpose="password", **{**CHEAP, **options})


def test_without_a_purpose_it_is_a_fingerprint_with_one_warning_that_teaches(
    transformers: ModuleType,
) -> None:
    with pytest.warns(UserWarning) as caught:
        made = transformers.HashTransformer(algorithm="sha256")
    (warning,) = caught
    assert warning.filename == __file__
    for word in ("purpose='password'", "purpose='lookup'", "purpose='fingerprint'", "protects nothing"):
        assert word in str(warning.message)
    assert made.algorithm == "sha256" and made.process("abc") == hashlib.sha256(b"abc").hexdigest()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fingerprint(transformers)


@pytest.mark.parametrize(
    "algorithm", ["sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "blake2s"]
)
def test_fingerprints_are_the_librarys(transformers: ModuleType, algorithm: str) -> None:
    made = fingerprint(transformers, algorithm)
    expected = hashlib.new(algorithm, "grüße".encode()).hexdigest()
    assert made("grüße") == made("grüße".encode()) == made(bytearray("grüße".encode())) == expected
    assert made(Text("grüße")) == expected
    assert made.verify("grüße", expected) and not made.verify("x", expected)
    for wrong in ("é", "nonsense", expected.upper(), expected[1:], "\ud800", None, 5):
        with pytest.raises(ValueError, match=f"is {len(expected)} hexadecimal digits"):
            made.verify("x", wrong)
    assert made("") == hashlib.new(algorithm, b"").hexdigest()


def test_blake3_fingerprints_need_their_extra(
    transformers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    blake3 = pytest.importorskip("blake3")
    assert fingerprint(transformers, "blake3")("x") == blake3.blake3(b"x").hexdigest()
    monkeypatch.setitem(sys.modules, "blake3", None)
    with pytest.raises(ImportError, match=r"pip install 'foobara-accel\[blake3\]'"):
        fingerprint(transformers, "blake3")


def test_a_fingerprint_of_a_secret_is_refused(transformers: ModuleType, fa: ModuleType) -> None:
    class Marked(str):
        __foobara_sensitive__ = True

    made = fingerprint(transformers)
    secrets = [fa.parse_card(CARD), fa.parse_iban(IBAN), SecretStr(CARD), SecretBytes(b"x"), Marked(CARD)]
    for value in secrets:
        with pytest.raises(ValueError, match="use purpose='lookup' with a pepper") as caught:
            made.process(value)
        assert type(value).__name__ in str(caught.value) and "1111" not in str(caught.value)
    with pytest.raises(ValueError, match="lone surrogate"):
        made.process("a\ud800")
    for wrong in (None, 5, ["x"]):
        with pytest.raises(TypeError, match=f"is a str or bytes, not {type(wrong).__name__}"):
            made.process(wrong)
    with pytest.raises(TypeError, match="does not say how it was made"):
        made.needs_rehash("x")
    with pytest.raises(TypeError, match="belongs to purpose='lookup'"):
        made.tokens("x")
    with pytest.raises(TypeError, match="stands directly at str"):
        TypeAdapter(Annotated[fa.CardNumber, made])


def test_a_token_is_the_librarys_hmac_of_the_canonical_form(
    transformers: ModuleType, fa: ModuleType, sub: Sub
) -> None:
    validators = sub("types.validators")
    made = lookup(transformers, of=validators.CreditCardValidator(lenient=True))
    expected = "hmac-sha256$2026-11$" + hmac.new(b"n" * 40, CARD.encode(), "sha256").hexdigest()
    for value in (CARD, "4111 1111-1111 1111", fa.parse_card(CARD), SecretStr(CARD)):
        assert made.process(value) == expected and made.verify(value, expected)
    assert made.algorithm == "hmac-sha256" and not made.verify("5555555555554444", expected)
    old = "hmac-sha256$2025$" + hmac.new(b"o" * 32, CARD.encode(), "sha256").hexdigest()
    assert made.tokens(CARD) == (expected, old)
    assert made.verify(CARD, old) and made.needs_rehash(old) and not made.needs_rehash(expected)
    back = lookup(transformers, current="2025")
    assert back.process(fa.parse_card(CARD)) == old and back.tokens(CARD) == (old, expected)
    assert lookup(transformers, of=str.casefold).process("A@B.com") == lookup(transformers).process("a@b.com")
    with pytest.raises(
        ValueError, match=r"^card number has a wrong check digit \(Luhn\) \(rule: checksum\)$"
    ):
        made.process(CARD[:-1] + "2")


def test_of_may_make_a_parsed_number(transformers: ModuleType, fa: ModuleType, sub: Sub) -> None:
    made = lookup(transformers, of=fa.parse_card)
    one, other = "4111110000091111", "4111119999941111"
    assert fa.parse_card(one).masked == fa.parse_card(other).masked
    assert made.process(one) == lookup(transformers).process(one) == made.process(fa.parse_card(one))
    assert made.process(other) != made.process(one) and not made.verify(other, made.process(one))
    for of in (sub("types").Sensitive, lambda value: None, lambda value: value.encode()):
        with pytest.raises(TypeError, match=r"^of makes a str or a parsed number, not "):
            lookup(transformers, of=of).process(one)


@given(st.text(), st.binary(min_size=32, max_size=80))
def test_tokens_of_any_text_are_the_librarys(text: str, key: bytes) -> None:
    made = foobara_accel.types.HashTransformer(purpose="lookup", peppers={"v": key})  # type: ignore[attr-defined]
    try:
        data = text.encode()
    except UnicodeEncodeError:
        with pytest.raises(ValueError, match="lone surrogate"):
            made.process(text)
    else:
        assert made.process(text) == f"hmac-sha256$v${hmac.new(key, data, 'sha256').hexdigest()}"


@pytest.mark.parametrize(
    "wrong", ["", "x", "hmac-sha256$2025$00", "hmac-sha256$$" + "0" * 64, None, "$argon2id$"]
)
def test_what_is_no_token_is_refused(transformers: ModuleType, wrong: Any) -> None:
    for look in (
        lambda: lookup(transformers).verify(CARD, wrong),
        lambda: lookup(transformers).needs_rehash(wrong),
    ):
        with pytest.raises(ValueError, match="a token is hmac-sha256"):
            look()
    with pytest.raises(ValueError, match="not among the peppers"):
        lookup(transformers).verify(CARD, "hmac-sha256$2024$" + "0" * 64)


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"algorithm": "md5"}, ValueError, "md5 is broken"),
        ({"algorithm": "sha1", "purpose": "fingerprint"}, ValueError, "sha1 is broken"),
        ({"algorithm": "md5", "purpose": "password"}, ValueError, "md5 is broken"),
        ({"algorithm": "sha1", "purpose": "lookup", "peppers": PEPPERS}, ValueError, "sha1 is broken"),
        ({"purpose": "secret"}, ValueError, "purpose is one of password, lookup, fingerprint, not 'secret'"),
        ({"algorithm": "crc32", "purpose": "fingerprint"}, ValueError, "a fingerprint is one of sha256, "),
        ({"algorithm": "argon2id"}, ValueError, r"say purpose='password'"),
        ({"algorithm": "bcrypt", "purpose": "password"}, ValueError, "hashed by argon2id, not bcrypt"),
        ({"algorithm": "blake2b", "purpose": "lookup", "peppers": PEPPERS}, ValueError, "by HMAC-SHA256"),
        ({"purpose": "lookup"}, TypeError, "takes peppers, as in {'2026-11': secrets.token_bytes"),
        ({"purpose": "lookup", "peppers": {}}, TypeError, "takes peppers"),
        ({"purpose": "lookup", "peppers": b"k" * 32}, TypeError, "takes peppers"),
        ({"purpose": "lookup", "peppers": {"a": b"short"}}, ValueError, "pepper 1 has 5 bytes: at least 32"),
        ({"purpose": "lookup", "peppers": {"a": "k" * 32}}, TypeError, "pepper 1 is bytes, not str"),
        (
            {"purpose": "lookup", "peppers": {"a$b": b"k" * 32}},
            ValueError,
            "a version of a pepper is 1 to 32",
        ),
        ({"purpose": "lookup", "peppers": {5: b"k" * 32}}, ValueError, "a version of a pepper"),
        (
            {"purpose": "lookup", "peppers": PEPPERS, "current": "x"},
            ValueError,
            "current is one of 2025, 2026-11",
        ),
        (
            {"purpose": "lookup", "peppers": PEPPERS, "of": "card"},
            TypeError,
            "of is a validator or a function",
        ),
        ({"purpose": "fingerprint", "peppers": PEPPERS}, ValueError, "belong to purpose='lookup'"),
        ({"purpose": "fingerprint", "time_cost": 1}, ValueError, "belong to purpose='password'"),
        ({"purpose": "password", "current": "x"}, ValueError, "belong to purpose='lookup'"),
        ({"purpose": "password", "time_cost": 0}, ValueError, "time_cost is 1 to 64, not 0"),
        ({"purpose": "password", "memory_cost": 8}, ValueError, "memory_cost is 32 to 1048576, not 8"),
        ({"purpose": "password", "memory_cost": 2.5}, TypeError, "memory_cost is an int, not float"),
        ({"purpose": "password", "min_length": 0}, ValueError, "min_length is 1 to 1024, not 0"),
        ({"purpose": "password", "parallelism": "4"}, TypeError, "parallelism is an int, not str"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    transformers: ModuleType, arguments: dict[str, Any], error: type[Exception], told: str
) -> None:
    pytest.importorskip("argon2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=told) as caught:
            transformers.HashTransformer(**arguments)
    assert "kkkk" not in str(caught.value)


def test_peppers_are_in_no_text_and_no_pickle(transformers: ModuleType) -> None:
    made = lookup(transformers)
    for text in (repr(made), str(made), f"{made}"):
        assert "nnnn" not in text and "oooo" not in text
    with pytest.raises(TypeError, match="its keys would be in the pickle"):
        pickle.dumps(made)
    assert copy.deepcopy(made) is made is copy.copy(made) and isinstance(hash(made), int)


def test_passwords_are_argon2id_with_a_salt_of_their_own(transformers: ModuleType) -> None:
    argon2 = pytest.importorskip("argon2")
    made = passwords(transformers)
    first, second = made.process(PASSWORD), made.process(SecretStr(PASSWORD))
    assert first != second and first.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert argon2.PasswordHasher().verify(first, PASSWORD)
    assert made.verify(PASSWORD, first) and made.verify(SecretStr(PASSWORD), second)
    assert not made.verify(PASSWORD + "x", first) and not made.verify("", first)
    assert not made.needs_rehash(first) and passwords(transformers, time_cost=2).needs_rehash(first)
    assert made.algorithm == "argon2id" and pickle.loads(pickle.dumps(made)).verify(PASSWORD, first)
    default = transformers.HashTransformer("argon2id", purpose="password")
    assert (default.memory_cost, default.time_cost, default.parallelism) == (65_536, 3, 4)
    assert default.needs_rehash(first)


def test_a_letter_typed_in_another_way_is_the_same_password(transformers: ModuleType) -> None:
    pytest.importorskip("argon2")
    made = passwords(transformers)
    assert made.verify("se\u0301same", made.process("sésame")) and made.verify(
        "sésame", made.process("se\u0301same")
    )


def test_the_length_is_that_of_the_text_that_is_hashed(transformers: ModuleType) -> None:
    pytest.importorskip("argon2")
    made = passwords(transformers, min_length=2)
    for short in ("\xe9", "e\u0301"):
        with pytest.raises(ValueError, match="fewer than 2 characters"):
            made.process(short)
    assert made.verify("\xe9" * 1024, made.process("e\u0301" * 1024))
    for long in ("\xe9" * 1025, "e\u0301" * 1025, "x" * 5000):
        with pytest.raises(ValueError, match="more than 1024 characters"):
            made.process(long)


def test_the_packages_own_secrets_are_hashed(transformers: ModuleType, fa: ModuleType, sub: Sub) -> None:
    pytest.importorskip("argon2")
    sensitive = sub("types.sensitive")
    secret = sensitive.Sensitive(PASSWORD)
    made = passwords(transformers)
    phc = made.process(secret)
    assert made.verify(PASSWORD, phc) and made.verify(secret, phc)
    assert transformers.HashedPassword(phc).verify(secret)
    assert transformers.HashedPassword.of(secret, made._costs()).verify(PASSWORD)
    lookup = transformers.HashTransformer(purpose="lookup", peppers={"1": b"1" * 32})
    assert lookup.process(secret) == lookup.process(PASSWORD) == lookup.process(SecretStr(PASSWORD))
    with pytest.raises(ValueError, match="found out by trying"):
        transformers.HashTransformer(purpose="fingerprint").process(secret)
    with pytest.raises(TypeError, match=r"^password is a str, not int$"):
        made.process(sensitive.Sensitive(5))
    fields = {
        "whole": (transformers.HashedPassword, ...),
        "cheap": (Annotated[transformers.HashedPassword, made], ...),
        "text": (Annotated[str, made], ...),
        "token": (Annotated[str, lookup], ...),
    }
    account = create_model("Account", **fields)(**dict.fromkeys(fields, secret))
    assert account.whole.verify(PASSWORD) and account.cheap.verify(PASSWORD)
    assert made.verify(PASSWORD, account.text) and account.token == lookup.process(PASSWORD)


def test_what_claims_to_be_a_str_is_refused(transformers: ModuleType, fa: ModuleType, sub: Sub) -> None:
    pytest.importorskip("argon2")
    types = sub("types")
    for annotation in (
        transformers.HashedPassword,
        Annotated[str, passwords(transformers)],
        Annotated[transformers.HashedPassword, passwords(transformers)],
        Annotated[str, transformers.HashTransformer(purpose="fingerprint")],
        Annotated[str, Field(max_length=9), passwords(transformers)],
        Annotated[str, types.CreditCardValidator()],
        types.CardNumber,
        types.IBAN,
    ):
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(annotation).validate_python(Mock(spec=str))
        assert caught.value.errors()[0]["type"] == "string_type"
    for made in (passwords(transformers), transformers.HashTransformer(purpose="fingerprint")):
        with pytest.raises(TypeError, match="not Mock"):
            made.process(Mock(spec=str))


def test_a_fingerprint_of_a_view_is_that_of_its_bytes(transformers: ModuleType) -> None:
    made = transformers.HashTransformer(purpose="fingerprint")
    data = b"a1b2c3d4"
    assert made.process(memoryview(data)[::2]) == made.process(b"abcd")
    assert made.process(memoryview(data).cast("B", [2, 4])) == made.process(data)
    assert made.verify(memoryview(data)[::-1], made.process(data[::-1]))


def test_a_password_is_refused_without_being_shown(transformers: ModuleType) -> None:
    pytest.importorskip("argon2")
    made = passwords(transformers, min_length=12)
    for wrong, told in (
        ("hunter2", "fewer than 12 characters"),
        ("", "fewer than 12 characters"),
        ("hunter2" * 200, "more than 1024 characters"),
        ("hunter2-hunter2\ud800", "lone surrogate"),
    ):
        with pytest.raises(ValueError, match=told) as caught:
            made.process(wrong)
        error: BaseException | None = caught.value
        while error is not None:
            assert "hunter2" not in f"{error!r} {getattr(error, 'object', '')}"
            error = error.__context__
    for strange in (None, 5, b"hunter2"):
        with pytest.raises(TypeError, match=f"^password is a str, not {type(strange).__name__}$"):
            made.process(strange)
    assert made.verify("x" * 2000, made.process(PASSWORD)) is False


def test_passwords_need_their_extra(
    sub: Sub, transformers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub("types.transformers.passwords")._hasher.cache_clear()
    monkeypatch.setitem(sys.modules, "argon2", None)
    for make in (
        lambda: transformers.HashedPassword.of("x"),
        lambda: transformers.HashTransformer(purpose="password"),
    ):
        with pytest.raises(ImportError, match=r"pip install 'foobara-accel\[passwords\]'"):
            make()
    with pytest.raises(ImportError, match=r"pip install 'foobara-accel\[passwords\]'"):
        create_model("Account", password=(transformers.HashedPassword, ...))


def test_html_needs_its_extra(sub: Sub, transformers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    html = sub("types.transformers.html")
    html._nh3.cache_clear()
    monkeypatch.setitem(sys.modules, "nh3", None)
    with pytest.raises(ImportError, match=r"pip install 'foobara-accel\[html\]'"):
        transformers.SanitizeHTMLTransformer()


def phc(memory: int = 64, time: int = 1, lanes: int = 1, salt: str = "", made: str = "") -> str:
    salt = salt or base64.b64encode(b"s" * 16).decode().rstrip("=")
    made = made or base64.b64encode(b"h" * 32).decode().rstrip("=")
    return f"$argon2id$v=19$m={memory},t={time},p={lanes}${salt}${made}"


@pytest.mark.parametrize(
    ("stored", "rule"),
    [
        ("", "empty"),
        ("hunter2", "format"),
        ("$argon2i$" + phc()[10:], "format"),
        (phc() + "\n", "format"),
        (phc(salt="a" * 13), "format"),
        (phc(made="!" * 43), "format"),
        (phc(memory=9_999_999), "costs"),
        (phc(time=99), "costs"),
        (phc(lanes=99, memory=1000), "costs"),
        (phc(memory=7), "costs"),
        (phc(time=0), "costs"),
        (phc().replace("m=64", "m=064"), "format"),
        (phc().replace("t=1", "t=01"), "format"),
        (phc().replace("p=1", "p=01"), "format"),
    ],
)
def test_a_stored_hash_is_looked_at_before_it_is_run(
    transformers: ModuleType, stored: str, rule: str
) -> None:
    pytest.importorskip("argon2")
    with pytest.raises(ValueError, match=rf"^hash of a password .*\(rule: {rule}\)$"):
        transformers.HashedPassword(stored)
    for ask in (passwords(transformers).needs_rehash, lambda it: passwords(transformers).verify("x", it)):
        with pytest.raises(ValueError, match="hash of a password"):
            ask(stored)


def test_costs_are_told_with_both_limits(transformers: ModuleType) -> None:
    for few in (phc(memory=7), phc(time=0)):
        with pytest.raises(ValueError) as caught:
            transformers.HashedPassword(few)
        assert "other than 8 (per lane) to 1048576 KiB, 1 to 64 passes and 1 to 64 lanes" in str(caught.value)


def test_a_hash_that_argon2_cannot_read_is_an_error_and_no_refusal(transformers: ModuleType) -> None:
    pytest.importorskip("argon2")
    assert transformers.HashedPassword(phc()).verify(PASSWORD) is False
    crooked = phc(salt="s" * 21 + "/")  # bits are left over
    with pytest.raises(ValueError, match="cannot be read"):
        transformers.HashedPassword(crooked).verify(PASSWORD)
    with pytest.raises(TypeError):
        transformers.HashedPassword(5)


def test_a_hashed_password_shows_nothing(transformers: ModuleType) -> None:
    pytest.importorskip("argon2")
    hashed = transformers.HashedPassword
    made = hashed(passwords(transformers).process(PASSWORD))
    assert made.verify(PASSWORD) and not made.verify("x") and made.needs_rehash()
    assert str(made) == f"{made}" == made.masked == "**********" and made.canonical not in repr(made)
    assert hashed(made.canonical) == made and pickle.loads(pickle.dumps(made)).canonical == made.canonical
    rules = transformers.PasswordRules(1, 64, 1)
    assert not hashed.of(PASSWORD, rules).needs_rehash(rules) and not made.needs_rehash(rules)


def test_passwords_as_fields(transformers: ModuleType, sub: Sub) -> None:
    pytest.importorskip("argon2")
    unmasked = sub("types").UNMASKED
    made = passwords(transformers, min_length=8)
    account: type[BaseModel] = create_model(
        "Account",
        password=(Annotated[transformers.HashedPassword, made], ...),
        other=(Annotated[str, made], "unset"),
    )
    kept: Any = account(password=PASSWORD, other=PASSWORD)
    assert kept.password.verify(PASSWORD) and made.verify(PASSWORD, kept.other)
    assert '"password":"**********"' in kept.model_dump_json() and PASSWORD not in repr(kept)
    stored = account.model_validate({"password": kept.password})
    assert stored.password == kept.password and kept.password.canonical in kept.model_dump_json(
        context=unmasked
    )
    # What looks like a hash is a password like any other: nobody signs in with a hash that was stolen.
    posed: Any = account(password=kept.password.canonical)
    assert posed.password.verify(kept.password.canonical) and not posed.password.verify(PASSWORD)
    with pytest.raises(ValidationError) as caught:
        account(password="hunter2", other=["hunter2"])
    assert [error["type"] for error in caught.value.errors()] == ["password", "string_type"]
    assert "hunter2" not in f"{caught.value} {caught.value.errors()} {caught.value.json()}"
    taken = account.model_json_schema()["properties"]["password"]
    assert (taken["format"], taken["writeOnly"], taken["minLength"]) == ("password", True, 8)
    plain = TypeAdapter(transformers.HashedPassword).json_schema()
    assert (plain["format"], plain["writeOnly"]) == ("password", True)
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(transformers.HashedPassword).validate_python("")
    assert caught.value.errors()[0]["type"] == "password"


def test_tokens_as_fields(transformers: ModuleType, fa: ModuleType) -> None:
    made = lookup(transformers)
    adapter = TypeAdapter(Annotated[fa.CardNumber, made])
    assert adapter.validate_python(CARD) == made.process(CARD)
    assert adapter.json_schema()["format"] == "card-number"
    assert adapter.json_schema(mode="serialization") == {"type": "string"}
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(CARD[:-1] + "2")
    assert "111111" not in f"{caught.value} {caught.value.errors()}"
    assert TypeAdapter(Annotated[str, fingerprint(transformers)]).validate_python("abc")[:8] == "ba7816bf"


def refused(adapter: TypeAdapter[Any], value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    assert str(value) not in f"{caught.value} {caught.value.errors()} {caught.value.json()}"
    return caught.value.errors()[0]["type"]


def test_what_stands_before_it_in_annotated_holds_too(transformers: ModuleType, sub: Sub) -> None:
    pytest.importorskip("argon2")
    made = lookup(transformers)
    number = sub("types.validators").CreditCardValidator(lenient=True, canonical=True)
    token: TypeAdapter[Any] = TypeAdapter(Annotated[str, number, made])
    assert token.validate_python("4111 1111 1111 1111") == made.process(CARD)
    assert token.validate_python(sub("types").parse_card(CARD)) == made.process(CARD)
    assert refused(token, CARD[:-1] + "2") == "card_number"
    assert refused(token, CARD.encode()) == "string_type"
    assert token.json_schema()["format"] == "card-number"
    assert token.json_schema(mode="serialization") == {"type": "string"}
    secret: TypeAdapter[Any] = TypeAdapter(Annotated[str, Field(min_length=12), passwords(transformers)])
    assert refused(secret, "hunter2") == "string_too_short"
    schema = secret.json_schema()
    assert (schema["minLength"], schema["format"]) == (12, "password")
    with pytest.raises(TypeError, match="stands directly at"):
        TypeAdapter(Annotated[transformers.HashedPassword, AfterValidator(id), passwords(transformers)])


def test_html_of_a_limited_length(transformers: ModuleType) -> None:
    pytest.importorskip("nh3")
    title: TypeAdapter[Any] = TypeAdapter(
        Annotated[str, Field(max_length=9), transformers.SanitizeHTMLTransformer(tags=[])]
    )
    assert title.validate_python("<b>x</b>") == "x" and title.json_schema()["maxLength"] == 9
    with pytest.raises(ValidationError, match="at most 9 characters"):
        title.validate_python("<b>hello</b>")


def test_a_command_that_takes_a_password_shows_none(fa: ModuleType, transformers: ModuleType) -> None:
    pytest.importorskip("argon2")
    made = passwords(transformers, min_length=8)
    model = create_model(
        "In", password=(Annotated[transformers.HashedPassword, made], ...), raw=(Annotated[str, made], "")
    )
    body = {"execute": lambda self: self.inputs, "echo_inputs": True}
    cls: Any = types.new_class("SignUp", (fa.Command[model, Any],), {}, lambda space: space.update(body))
    done = cls.run(password=PASSWORD, raw=PASSWORD)
    assert done.result.password.verify(PASSWORD)
    for outcome in (
        done,
        cls.run(password="hunter2"),
        cls.run(password=5, raw="hunter2"),
        cls.run(raw="hunter2"),
    ):
        shown = f"{outcome!r} {outcome.to_dict() if outcome.is_failure() else ''} {outcome.to_json_bytes()!r}"
        assert PASSWORD not in shown and "hunter2" not in shown and "argon2id$" not in shown


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_that_was_forked_while_a_password_was_hashed_hashes_too(sub: Sub) -> None:
    pytest.importorskip("argon2")
    module = sub("types.transformers.passwords")
    held = 0
    while module._running.acquire(blocking=False):
        held += 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forking with threads
            child = os.fork()
        if not child:
            os._exit(0 if module._running.acquire(timeout=5) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        for _ in range(held):
            module._running.release()


def test_hashing_lets_other_threads_run(transformers: ModuleType) -> None:
    pytest.importorskip("argon2")
    made = passwords(transformers)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(made.process(PASSWORD))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(found)) == 8 and all(made.verify(PASSWORD, each) for each in found)


def hashers(transformers: ModuleType) -> list[Any]:
    made = transformers.HashTransformer
    return [
        made(purpose="password", **CHEAP),
        made(purpose="lookup", peppers=PEPPERS),
        made(purpose="fingerprint"),
    ]


@pytest.mark.parametrize(
    "behind", [AfterValidator(str), BeforeValidator(str), WrapValidator(lambda value, take: take(value))]
)
def test_a_validator_behind_a_hash_leaves_its_schema(
    fa: ModuleType, transformers: ModuleType, sub: Sub, behind: Any
) -> None:
    pytest.importorskip("argon2")
    hashed = sub("types").HashedPassword
    for made in hashers(transformers):
        kinds: list[Any] = [str]
        if made.purpose == "password":
            kinds.append(hashed)
        if made.purpose == "lookup":
            kinds += [fa.CardNumber, fa.IBAN]
        for kind in kinds:
            plain: Any = TypeAdapter(Annotated[kind, made])
            also: Any = TypeAdapter(Annotated[kind, made, behind])
            assert also.json_schema() == plain.json_schema()
            assert plain.json_schema()["type"] == "string"
            assert plain.json_schema(mode="serialization")["type"] == "string"
            if kind in (str, fa.CardNumber):  # those of others say what they show besides
                assert plain.json_schema(mode="serialization") == {"type": "string"}
                assert also.json_schema(mode="serialization") == {"type": "string"}

    class SignUp(BaseModel):
        word: Annotated[str, hashers(transformers)[0]]

        @field_validator("word")
        @classmethod
        def looked_at(cls, value: str) -> str:
            return value

    class Signs(fa.Command[SignUp, str]):  # type: ignore[name-defined, misc]
        def execute(self) -> str:
            return str(self.inputs.word)

    for schema in (SignUp.model_json_schema(), Signs.manifest()["inputs_type"]["schema"]):
        assert schema["properties"]["word"]["format"] == "password"
    assert Signs.run(word=PASSWORD).result.startswith("$argon2id$")
    rules = hashers(transformers)[0]
    long = transformers.HashTransformer(purpose="password", min_length=12, **CHEAP)
    assert TypeAdapter(Annotated[hashed, long]).json_schema()["minLength"] == 12
    assert TypeAdapter(Annotated[hashed, rules]).json_schema()["writeOnly"] is True


def test_a_field_makes_no_fingerprint_of_what_was_checked_to_be_a_number(
    transformers: ModuleType, sub: Sub
) -> None:
    types = sub("types")
    made = fingerprint(transformers)
    for check in (types.CreditCardValidator(), types.IBANValidator(), types.PhoneNumberValidator("US")):
        for between in ((), (AfterValidator(str),), (Field(max_length=40),), (types.MinLengthValidator(1),)):
            with pytest.raises(TypeError, match="is found out by trying: use purpose='lookup' with a pepper"):
                TypeAdapter(Annotated[(str, check, *between, made)])  # type: ignore[misc]
    looked_up = transformers.HashTransformer(purpose="lookup", peppers=PEPPERS)
    token: Any = TypeAdapter(Annotated[str, types.CreditCardValidator(), looked_up]).validate_python(CARD)
    assert token == looked_up.process(CARD)
    plain: Any = TypeAdapter(Annotated[str, AfterValidator(str.strip), made]).validate_python(" x ")
    assert plain == hashlib.sha256(b"x").hexdigest()


def test_a_union_writes_what_is_of_another_type_than_html_and_tokens(
    fa: ModuleType, transformers: ModuleType
) -> None:
    pytest.importorskip("nh3")
    html = transformers.SanitizedHTML
    token = Annotated[fa.CardNumber, transformers.HashTransformer(purpose="lookup", peppers=PEPPERS)]
    for kind in (html, token):
        for value in (5, [1], {"a": 1}):
            adapter: Any = TypeAdapter(kind | int | list[int] | dict[str, int])
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert adapter.dump_python(adapter.validate_python(value), mode="json") == value
    assert TypeAdapter(html | int).dump_json(html("<b>x</b>")) == b'"<b>x</b>"'


def test_a_key_in_the_place_of_a_version_is_in_no_error(transformers: ModuleType) -> None:
    secret = "hunter2-" * 5
    for peppers, current in (({secret: "v1"}, None), ({secret[:30] + " ": "v1"}, None), (PEPPERS, secret)):
        with pytest.raises((TypeError, ValueError)) as caught:
            transformers.HashTransformer(purpose="lookup", peppers=peppers, current=current)
        assert "hunter2" not in str(caught.value)


def test_what_of_says_does_not_repeat_the_value(transformers: ModuleType, sub: Sub) -> None:
    parse_card = sub("types").parse_card
    made = transformers.HashTransformer(purpose="lookup", peppers=PEPPERS, of=int)
    with pytest.raises(ValueError, match=r"of refuses what is looked up \(ValueError\)") as caught:
        made.process(PASSWORD)
    assert caught.value.__context__ is None

    # Nor in another form, nor by an exception that is no refusal.
    def refuses(value: str) -> str:
        raise TypeError(value.replace(" ", "").lower())

    with pytest.raises(TypeError, match=r"^of refuses what is looked up \(TypeError\)$"):
        transformers.HashTransformer(purpose="lookup", peppers=PEPPERS, of=refuses).process(PASSWORD)
    with pytest.raises(ValueError, match=r"^of refuses what is looked up \(KeyError\)$") as caught:
        transformers.HashTransformer(purpose="lookup", peppers=PEPPERS, of={}.__getitem__).process(PASSWORD)
    assert caught.value.__context__ is None
    with pytest.raises(ValueError, match=r"^card number does not have 12 to 19 digits \(rule: length\)$"):
        transformers.HashTransformer(purpose="lookup", peppers=PEPPERS, of=parse_card).process("4111")


def test_a_mask_is_no_password(transformers: ModuleType, sub: Sub) -> None:
    pytest.importorskip("argon2")
    hashed, sensitive = transformers.HashedPassword, sub("types.sensitive")
    hashes = transformers.HashTransformer(purpose="password", time_cost=1, memory_cost=8, parallelism=1)
    for mask in ("**********", "[REDACTED]"):
        for make in (hashed.of, hashes.process):
            with pytest.raises(ValueError, match=r"\(rule: masked\)$"):
                make(mask)
        for kind in (hashed, Annotated[hashed, hashes], Annotated[str, hashes], sensitive.Password):
            with pytest.raises(ValidationError, match="mask"):
                TypeAdapter(kind).validate_python(mask)
    made = sensitive.Sensitive("[REDACTED]")
    assert TypeAdapter(sensitive.Password).validate_python(made) is made


def test_a_serializer_before_a_check_or_a_hash_stays(transformers: ModuleType, sub: Sub) -> None:
    pytest.importorskip("argon2")
    types_, validators = sub("types"), sub("types.validators")
    end = PlainSerializer(lambda value: "..." + str(getattr(value, "canonical", value))[-2:], return_type=str)
    lookup = transformers.HashTransformer(purpose="lookup", peppers=PEPPERS)
    hashes = transformers.HashTransformer(purpose="password", time_cost=1, memory_cost=8, parallelism=1)
    card = "4111111111111111"
    for kind in (
        Annotated[str, end, validators.CreditCardValidator()],
        Annotated[str, end, AfterValidator(str), validators.CreditCardValidator()],
        Annotated[types_.CardNumber, end, validators.CreditCardValidator()],
    ):
        adapter = TypeAdapter(kind)
        assert adapter.dump_json(adapter.validate_python(card)) == b'"...11"'
    for kind in (
        Annotated[str, end, lookup],
        Annotated[types_.CardNumber, end, lookup],
        Annotated[transformers.HashedPassword, end, hashes],
    ):
        adapter = TypeAdapter(kind)
        written = adapter.dump_json(adapter.validate_python(card)).decode()
        assert written.startswith('"...') and len(written) == 7
    plain = TypeAdapter(Annotated[types_.CardNumber, lookup])
    assert plain.dump_json(plain.validate_python(card)).startswith(b'"hmac-sha256$')


def test_names_of_tags_and_rel_are_text(transformers: ModuleType) -> None:
    for options in ({"attributes": {1: ["x"]}}, {"link_rel": 3}):
        with pytest.raises(TypeError, match=r"names of tags, not int|a str or None, not int"):
            transformers.SanitizeHTMLTransformer(**options)
