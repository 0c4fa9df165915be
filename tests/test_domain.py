"""Domains and organizations: names, dependencies, cycles, and what subcommands may be called."""

from __future__ import annotations

import pickle
import threading
import types
from typing import Any

import pytest
from pydantic import BaseModel


class Empty(BaseModel):
    pass


class Item(BaseModel):
    name: str


@pytest.fixture
def domains(sub):
    module = sub("domain")
    module.Domain.clear_registry()
    module.Organization.clear_registry()
    yield module
    module.Domain.clear_registry()
    module.Organization.clear_registry()


@pytest.fixture
def pair(sub, domains):
    """Two commands, the first calls the second; the names of their domains are arguments."""
    command = sub("core.command").Command

    def build(source: Any, target: Any, source_org: Any = None, target_org: Any = None) -> tuple[Any, Any]:
        class Inner(command[Empty, int]):
            _domain = target
            _organization = target_org
            runs = 0

            def execute(self) -> int:
                type(self).runs += 1
                return 7

        class Outer(command[Empty, int]):
            _domain = source
            _organization = source_org

            def execute(self) -> Any:
                return self.run_subcommand(Inner)

        return Outer, Inner

    return build


def outcome_of(outer: Any, inner: Any) -> str:
    outcome = outer.run()
    if outcome.is_success():
        assert outcome.result == 7
        return "allowed"
    (error,) = outcome.errors
    assert error.symbol == "execution_error"
    assert error.context["exception_type"] == "DomainDependencyError"
    assert inner.runs == 0
    return error.message


def test_names(domains):
    alone, inside = domains.Domain("Billing"), domains.Domain("Billing", "Acme")
    assert (alone.name, alone.organization, alone.full_name) == ("Billing", None, "Billing")
    assert (inside.name, inside.organization, inside.full_name) == ("Billing", "Acme", "Acme::Billing")
    assert domains.get_domain("Billing") is alone
    assert domains.get_domain("Acme::Billing") is domains.get_domain("Billing", "Acme") is inside
    assert domains.get_domain("Nothing") is None
    assert domains.all_domains() == domains.Domain.all() == [alone, inside]
    assert "Acme::Billing" in repr(inside)


def test_a_domain_of_the_same_full_name_takes_its_place(domains):
    domains.create_domain("Billing").depends_on("Stock")
    second = domains.create_domain("Billing")
    assert domains.get_domain("Billing") is second
    assert second.dependencies == ()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (None, TypeError, "name must be a string, not NoneType; pass a name such as"),
        (5, TypeError, "name must be a string, not int"),
        ("", ValueError, "name must not be empty"),
        ("A::B", ValueError, "name='A::B' must not contain '::'.*pass 'B' and give the organization"),
    ],
)
def test_wrong_names_are_refused_and_leave_nothing(domains, name, error, message):
    with pytest.raises(error, match=message):
        domains.Domain(name)
    with pytest.raises(error, match=message):
        domains.Organization(name)
    assert domains.all_domains() == []
    assert domains.all_organizations() == []


@pytest.mark.parametrize(
    ("organization", "error", "message"),
    [
        (5, TypeError, "organization must be a name or an Organization, not int"),
        ("", ValueError, "organization must not be empty"),
        ("A::B", ValueError, "organization='A::B' must not contain '::'"),
    ],
)
def test_wrong_organizations_are_refused(domains, organization, error, message):
    with pytest.raises(error, match=message):
        domains.Domain("Billing", organization)
    assert domains.all_domains() == []


def test_depends_on_returns_the_domain_and_allows_calls(domains):
    billing = domains.Domain("Billing")
    assert billing.depends_on("Stock", "Users") is billing
    billing.depends_on("Stock")
    assert billing.dependencies == ("Stock", "Users")
    assert billing.can_call_from("Stock")
    assert billing.can_call_from("Billing")
    assert billing.can_call_from("Global")
    assert not billing.can_call_from("Shipping")


def test_a_domain_may_be_given_as_an_object(domains):
    stock = domains.Domain("Stock", "Acme")
    billing = domains.Domain("Billing").depends_on(stock)
    assert billing.dependencies == ("Acme::Stock",)
    assert billing.can_call_from(stock)
    assert not billing.can_call_from("Stock")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (None, TypeError, "a domain must be given by name or as a Domain, not NoneType"),
        (3, TypeError, "not int; pass a name such as 'Billing'"),
        ("", ValueError, "is no name of a domain"),
        ("A::B::C", ValueError, "'A::B::C' is no name of a domain; write 'Domain' or 'Organization::Domain'"),
        ("A::", ValueError, "is no name of a domain"),
    ],
)
def test_a_wrong_dependency_adds_none_of_the_call(domains, name, error, message):
    billing = domains.Domain("Billing").depends_on("Stock")
    with pytest.raises(error, match=message):
        billing.depends_on("Users", name)
    assert billing.dependencies == ("Stock",)


def test_a_domain_cannot_depend_on_itself(domains):
    billing, inside = domains.Domain("Billing"), domains.Domain("Billing", "Acme")
    for domain, name in (
        (billing, "Billing"),
        (inside, "Billing"),
        (inside, "Acme::Billing"),
        (inside, inside),
    ):
        with pytest.raises(domains.DomainDependencyError, match="cannot depend on itself"):
            domain.depends_on("Stock", name)
        assert domain.dependencies == ()


def test_a_cycle_names_its_whole_path_and_adds_nothing(domains):
    a, b, c = (domains.Domain(name) for name in "ABC")
    a.depends_on("B")
    b.depends_on("C")
    with pytest.raises(domains.DomainDependencyError, match="close the cycle C -> A -> B -> C") as caught:
        c.depends_on("D", "A")
    assert caught.value.path == ("C", "A", "B", "C")
    assert c.dependencies == ()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.path) == (str(caught.value), caught.value.path)


def test_cycles_inside_and_across_organizations_are_found(domains):
    a, b = domains.Domain("A", "Acme"), domains.Domain("B", "Acme")
    a.depends_on("B")
    with pytest.raises(domains.DomainDependencyError, match="Acme::B -> Acme::A -> Acme::B"):
        b.depends_on("A")
    other = domains.Domain("C", "Other").depends_on("Acme::A")
    with pytest.raises(domains.DomainDependencyError, match="Acme::B -> Other::C -> Acme::A -> Acme::B"):
        b.depends_on(other)


def test_a_dependency_named_before_it_exists_still_closes_a_cycle(domains):
    domains.Domain("A").depends_on("B")
    with pytest.raises(domains.DomainDependencyError, match="B -> A -> B"):
        domains.Domain("B").depends_on("A")


def test_a_diamond_is_no_cycle(domains):
    for name in "ABCD":
        domains.Domain(name)
    domains.get_domain("A").depends_on("B", "C")
    domains.get_domain("B").depends_on("D")
    domains.get_domain("C").depends_on("D")
    assert domains.get_domain("A").dependencies == ("B", "C")


def test_a_long_chain_of_domains_does_not_exhaust_the_stack(domains):
    for number in range(3000):
        domains.Domain(f"D{number}").depends_on(f"D{number + 1}")
    with pytest.raises(domains.DomainDependencyError, match="close the cycle"):
        domains.Domain("D3000").depends_on("D0")


def test_a_simple_name_means_the_same_organization_first(domains):
    domains.Domain("Stock")
    billing = domains.Domain("Billing", "Acme").depends_on("Stock")
    assert billing._allows("Stock")
    assert not billing._allows("Acme::Stock")
    domains.Domain("Stock", "Acme")
    assert billing._allows("Acme::Stock")
    assert not billing._allows("Stock")
    assert not billing._allows("Other::Stock")
    billing.depends_on("Later")
    assert billing._allows("Later")
    assert billing._allows("Acme::Later")
    assert not billing._allows("Other::Later")


def test_a_call_across_domains_without_dependency_is_refused(domains, pair):
    domains.Domain("Shop")
    message = outcome_of(*pair("Shop", "Stock"))
    assert message == (
        "Outer of domain 'Shop' may not call Inner of domain 'Stock': 'Shop' does not depend on it; "
        "declare it with depends_on('Stock')"
    )


def test_a_call_inside_an_organization_is_judged_too(domains, pair):
    shop = domains.Domain("Shop", "Acme")
    domains.Domain("Stock", "Acme")
    assert "'Acme::Shop' does not depend" in outcome_of(*pair("Shop", "Stock", "Acme", "Acme"))
    shop.depends_on("Stock")
    assert outcome_of(*pair("Shop", "Stock", "Acme", "Acme")) == "allowed"


def test_the_same_name_in_another_organization_is_another_domain(domains, pair):
    domains.Domain("Shop", "Acme").depends_on("Stock")
    domains.Domain("Stock", "Acme")
    assert "may not call" in outcome_of(*pair("Shop", "Stock", "Acme", "Other"))
    assert "may not call" in outcome_of(*pair("Shop", "Shop", "Acme", "Other"))


def test_dependencies_do_not_pass_on(domains, pair):
    domains.Domain("A").depends_on("B")
    domains.Domain("B").depends_on("C")
    assert "may not call" in outcome_of(*pair("A", "C"))


@pytest.mark.parametrize(
    ("source", "target"),
    [(None, "Stock"), ("Shop", None), ("Shop", "Shop"), ("Shop", "Global"), ("Global", "Stock")],
)
def test_calls_that_need_no_dependency(domains, pair, source, target):
    domains.Domain("Shop")
    domains.Domain("Stock")
    assert outcome_of(*pair(source, target)) == "allowed"


def test_an_unknown_calling_domain_is_allowed(domains, pair):
    domains.Domain("Stock")
    assert outcome_of(*pair("Nowhere", "Stock")) == "allowed"
    assert domains.Domain.get_cross_domain_call_stats() == {}


def test_a_domain_given_as_an_object_is_judged_like_its_name(domains, pair):
    shop, stock = domains.Domain("Shop", "Acme"), domains.Domain("Stock", "Acme")
    assert "may not call" in outcome_of(*pair(shop, stock))
    shop.depends_on(stock)
    assert outcome_of(*pair(shop, stock)) == "allowed"


def test_a_verdict_is_not_kept_when_a_dependency_or_domain_comes_or_goes(domains, pair):
    outer, inner = pair("Shop", "Stock")
    for _ in range(3):
        assert outer.run().result == 7
    shop = domains.Domain("Shop")
    assert outer.run().is_failure()
    shop.depends_on("Stock")
    assert outer.run().result == 7
    domains.Domain("Shop")
    assert outer.run().is_failure()
    domains.Domain.clear_registry()
    assert outer.run().result == 7
    assert inner.runs == 5


def test_a_verdict_is_not_kept_when_a_class_moves(domains, pair):
    domains.Domain("Shop")
    outer, inner = pair("Shop", "Shop")
    assert outer.run().result == 7
    inner._domain = "Stock"
    assert outer.run().is_failure()
    inner._domain = "Shop"
    assert outer.run().result == 7
    outer._domain = None
    inner._domain = "Stock"
    assert outer.run().result == 7


def test_an_async_command_is_judged_too(domains, sub):
    import asyncio

    base = sub("core.async_command").AsyncCommand

    class Inner(base[Empty, int]):
        _domain = "Stock"

        async def execute(self) -> int:
            return 7

    class Outer(base[Empty, int]):
        _domain = "Shop"

        async def execute(self) -> Any:
            return await self.run_subcommand(Inner)

    shop = domains.Domain("Shop")
    assert asyncio.run(Outer.run()).errors[0].context["exception_type"] == "DomainDependencyError"
    shop.depends_on("Stock")
    assert asyncio.run(Outer.run()).result == 7
    assert domains.Domain.get_cross_domain_call_stats() == {("Shop", "Stock"): 1}


def test_calls_are_counted_by_pair_of_domains(domains, pair):
    domains.Domain("Shop", "Acme").depends_on("Stock")
    domains.Domain("Stock", "Acme")
    outer, inner = pair("Shop", "Stock", "Acme", "Acme")
    for _ in range(3):
        outer.run()
    inner.run()
    assert domains.Domain.get_cross_domain_call_stats() == {("Acme::Shop", "Acme::Stock"): 3}
    domains.Domain.reset_cross_domain_call_stats()
    assert domains.Domain.get_cross_domain_call_stats() == {}
    outer.run()
    domains.Domain.track_cross_domain_call("Acme::Shop", "Acme::Stock")
    assert domains.Domain.get_cross_domain_call_stats() == {("Acme::Shop", "Acme::Stock"): 2}


def test_no_call_is_lost_between_threads(domains, pair):
    shop = domains.Domain("Shop").depends_on("Stock")
    outer, _ = pair("Shop", "Stock")
    failed: list[Any] = []

    def work() -> None:
        failed.extend(outcome for outcome in (outer.run() for _ in range(200)) if outcome.is_failure())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(50):
        shop.depends_on(f"More{number}")
    for thread in threads:
        thread.join()
    assert failed == []
    assert domains.Domain.get_cross_domain_call_stats() == {("Shop", "Stock"): 1600}


def test_opposite_dependencies_at_once_never_make_a_cycle(domains):
    for _ in range(50):
        a, b = domains.Domain("A"), domains.Domain("B")
        refused: list[Any] = []
        start = threading.Barrier(2)

        def work(
            domain: Any, name: str, refused: list[Any] = refused, start: threading.Barrier = start
        ) -> None:
            start.wait()
            try:
                domain.depends_on(name)
            except domains.DomainDependencyError as error:
                refused.append(error)

        threads = [threading.Thread(target=work, args=pair) for pair in ((a, "B"), (b, "A"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1


def test_validate_subcommand_call(domains, pair):
    shop = domains.Domain("Shop").depends_on("Stock")
    outer, inner = pair("Shop", "Stock")
    shop.validate_subcommand_call(outer, inner)
    shop.validate_subcommand_call(outer, "Stock")
    with pytest.raises(
        domains.DomainDependencyError, match="Outer of domain 'Shop' may not call domain 'Mail'"
    ):
        shop.validate_subcommand_call(outer, "Mail")
    inner._domain = "Mail"
    with pytest.raises(domains.DomainDependencyError) as caught:
        shop.validate_subcommand_call(outer, inner)
    assert caught.value.path == ("Shop", "Mail")


def test_command_puts_a_class_into_the_domain(domains, sub):
    command = sub("core.command").Command
    billing = domains.Domain("Billing", "Acme")

    @billing.command
    class Pay(command[Empty, int]):
        pass

    @billing.command(description="Gives back.")
    class Refund(command[Empty, int]):
        pass

    assert (Pay._domain, Pay._organization, Pay.full_name()) == ("Billing", "Acme", "Acme::Billing::Pay")
    assert Refund.description() == "Gives back."
    assert billing.get_command("Pay") is Pay
    assert billing.get_command("Nothing") is None
    assert billing.list_commands() == [Pay, Refund]
    assert billing.command_names() == ["Pay", "Refund"]
    for key in (Pay, "Pay", "Acme::Billing::Pay"):
        assert domains.Domain.find_domain_for_command(key) is billing
    assert domains.Domain.find_domain_for_command("Nothing") is None


def test_a_command_is_in_one_domain(domains, pair):
    billing = domains.Domain("Billing", "Acme")
    outer, _ = pair("Billing", None)
    assert billing.register_command(outer) is outer
    assert billing.register_command(outer) is outer
    with pytest.raises(ValueError, match=r"Outer is in domain 'Acme::Billing' already.*derive a subclass"):
        domains.Domain("Billing", "Other").register_command(outer)
    child = type("Child", (outer,), {})
    assert domains.Domain("Stock").register_command(child).full_name() == "Stock::Child"


def test_a_taken_command_name_changes_neither_class(domains, pair):
    billing = domains.Domain("Billing")
    outer, inner = pair(None, None)
    billing.register_command(outer)
    inner.__name__ = "Outer"
    with pytest.raises(ValueError, match="'Outer' is already the name of"):
        billing.register_command(inner)
    assert inner._domain is None
    assert billing.list_commands() == [outer]


@pytest.mark.parametrize("value", [None, 3, "Pay", Item, object()])
def test_what_is_no_command_is_refused(domains, value):
    with pytest.raises(TypeError, match="command_class"):
        domains.Domain("Billing").register_command(value)


def test_types_of_a_domain(domains):
    stock = domains.Domain("Stock")
    assert stock.type()(Item) is Item
    stock.type("Things")(list[Item])
    assert stock.get_type("Item") is Item
    assert stock.list_types() == ["Item", "Things"]
    with pytest.raises(ValueError, match="'Item' is already the name of"):
        stock.register_type("Item", Empty)
    with pytest.raises(TypeError, match="not a type"):
        stock.register_type("Bad", 3)


def test_manifest(domains, sub):
    billing = domains.Domain("Billing", "Acme").depends_on("Stock")
    pay = billing.register_command(types.new_class("Pay", (sub("core.command").Command[Empty, int],)))
    billing.register_type("Item", Item)
    assert billing.manifest() == {
        "name": "Billing",
        "organization": "Acme",
        "full_name": "Acme::Billing",
        "depends_on": ["Stock"],
        "commands": {"Pay": pay.manifest()},
        "types": {"Item": Item.model_json_schema()},
    }


def test_the_global_domain_always_exists(domains):
    assert domains.GlobalDomain.name == domains.GlobalDomain.full_name == "Global"
    assert domains.get_domain("Global") is domains.GlobalDomain
    assert domains.GlobalDomain.can_call_from("Anything")
    assert domains.all_domains() == []


def test_organizations(domains):
    acme = domains.Organization("Acme")
    billing = acme.domain("Billing")
    assert acme.domain("Billing") is billing
    assert billing.full_name == "Acme::Billing"
    domains.Domain("Stock", acme)
    domains.Domain("Stock")
    assert acme.get_domain("Stock").organization == "Acme"
    assert acme.get_domain("Nothing") is None
    assert acme.domain_names() == ["Billing", "Stock"]
    assert acme.list_domains() == [billing, acme.get_domain("Stock")]
    assert acme.manifest()["domains"]["Billing"] == billing.manifest()
    assert domains.get_organization("Acme") is domains.Organization.get("Acme") is acme
    assert domains.get_organization("Nothing") is None
    assert domains.all_organizations() == [acme]
    assert repr(acme) == "Organization('Acme')"


def test_foobara_domain_makes_a_class_stand_for_a_domain(domains, sub):
    @domains.foobara_domain(organization="Acme")
    class Billing:
        manifest = "kept"

    @domains.foobara_domain("Store")
    class Stock:
        pass

    assert Billing.foobara_domain is domains.get_domain("Acme::Billing")
    assert Billing.full_name == "Acme::Billing"
    assert Billing.manifest == "kept"
    assert Stock.name == "Store"
    Billing.depends_on(Stock)
    assert Billing.can_call_from(Stock)
    assert not hasattr(Billing, "clear_registry")

    @Billing.command
    class Pay(sub("core.command").Command[Empty, int]):
        pass

    assert Pay.full_name() == "Acme::Billing::Pay"


def test_foobara_organization_makes_a_class_stand_for_an_organization(domains):
    @domains.foobara_organization()
    class Acme:
        pass

    @domains.foobara_organization("Other")
    class Renamed:
        pass

    assert Acme.domain("Billing").full_name == "Acme::Billing"
    assert Acme.domain_names() == ["Billing"]
    assert Renamed.foobara_organization is domains.get_organization("Other")
    assert domains.Domain("Stock", Renamed).full_name == "Other::Stock"


def test_the_policy_answers_for_plain_classes(domains):
    shop = type("Buy", (), {"_domain": "Shop"})
    stock = type("Take", (), {"_domain": "Stock"})
    nothing = type("Plain", (), {})
    assert domains.policy(shop, stock) is None
    domains.Domain("Shop")
    assert domains.policy(shop, nothing) is None
    assert domains.policy(nothing, stock) is None
    with pytest.raises(domains.DomainDependencyError):
        domains.policy(shop, stock)
    domains.get_domain("Shop").depends_on("Stock")
    track = domains.policy(shop, stock)
    track()
    assert domains.policy(shop, stock) is track
    assert domains.Domain.get_cross_domain_call_stats() == {("Shop", "Stock"): 1}


def test_decorators_of_a_domain_work_bare(domains, sub):
    @domains.foobara_domain
    class Billing:
        pass

    @domains.foobara_organization
    class Acme:
        pass

    assert isinstance(Billing, type) and Billing.foobara_domain is domains.get_domain("Billing")
    assert isinstance(Acme, type) and Acme.foobara_organization is domains.get_organization("Acme")
    domain = Acme.domain("Stock")

    @domain.type
    class User(BaseModel):
        name: str

    @domain.type()
    class Guest(BaseModel):
        name: str

    @domain.type("Other")
    class Named(BaseModel):
        name: str

    assert [domain.get_type(name) for name in ("User", "Guest", "Other")] == [User, Guest, Named]
    assert User(name="a").name == "a"
    for wrong in (5, list[int], User(name="a")):
        with pytest.raises(TypeError, match="name must be a string"):
            domain.type(wrong)


def test_what_stands_for_a_domain_is_a_class_and_no_command(domains, sub):
    commands = sub("core.command"), sub("core.async_command")
    for base in (commands[0].Command, commands[1].AsyncCommand):
        cls = types.new_class("Pay", (base[Empty, int],))
        for decorate, what in (
            (domains.foobara_domain, "a domain: put it into one with Domain.command"),
            (domains.foobara_domain("x"), "a domain"),
            (domains.foobara_organization, "an organization"),
            (domains.foobara_organization("x"), "an organization"),
        ):
            with pytest.raises(TypeError, match=f"^Pay is a command and cannot stand for {what}"):
                decorate(cls)
        assert cls.full_name() == "Pay"
    assert domains.all_domains() == domains.all_organizations() == []
    for wrong in (5, None, lambda: None):
        with pytest.raises(TypeError, match=r"^only a class can stand for a domain, not "):
            domains.foobara_domain("x")(wrong)


def test_what_is_no_name_names_nothing(domains):
    domain = domains.Domain("Shop")
    for wrong in ([], {}, 5, None):
        assert (
            domains.get_domain(wrong) is domains.Domain.get(wrong) is domains.get_organization(wrong) is None
        )
        assert domain.get_command(wrong) is domain.get_type(wrong) is None


def test_a_function_command_has_a_place_in_a_domain(domains, sub):
    simple = sub("core.simple")
    shop, stock = domains.Domain("Shop"), domains.Domain("Stock")

    @shop.command
    @simple.simple_command
    def buy(a: int) -> int:
        return a

    @stock.command(description="Takes it.")
    @simple.async_simple_command
    async def take(a: int) -> int:
        return a

    assert isinstance(buy, simple.SimpleCommand) and buy(a=2) == 2
    assert buy.command_class.full_name() == "Shop::buy" and take.command_class.name == "Stock::take"
    assert take.command_class.description() == "Takes it."
    assert shop.list_commands() == [buy.command_class] and "buy" in shop.manifest()["commands"]
    assert domains.Domain.find_domain_for_command(buy) is shop
    with pytest.raises(
        domains.DomainDependencyError, match="buy of domain 'Shop' may not call take of domain"
    ):
        shop.validate_subcommand_call(buy, take)
    with pytest.raises(ValueError, match="command_class is in domain 'Shop' already"):
        stock.register_command(buy)
    shop.depends_on("Stock")
    shop.validate_subcommand_call(buy, take)
