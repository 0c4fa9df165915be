"""Domain mappers: scores, look-ups, and subcommands on mapped inputs."""

from __future__ import annotations

import asyncio
import gc
import threading
import types
import weakref
from types import SimpleNamespace
from typing import Annotated, Any

import pydantic
import pytest
from pydantic import BaseModel, Field, model_validator


class User(BaseModel):
    name: str


class Admin(User):
    rights: int = 1


class Customer(BaseModel):
    title: str


class Bill(BaseModel):
    total: int


class Receipt(BaseModel):
    text: str


class Invoice(BaseModel):
    customer: Customer
    amount: int = 1


@pytest.fixture
def mappers(sub):
    module = sub("domain.mappers")
    domains = sub("domain")
    module.DomainMapperRegistry.clear()
    domains.Domain.clear_registry()
    yield module
    module.DomainMapperRegistry.clear()
    domains.Domain.clear_registry()


@pytest.fixture
def registry(mappers):
    return mappers.DomainMapperRegistry


@pytest.fixture
def kit(mappers, sub):
    """Mappers and the commands around them."""
    command = sub("core.command").Command

    class UserToCustomer(mappers.DomainMapper[User, Customer]):
        def map(self, value: User) -> Customer:
            return Customer(title=value.name.upper())

    class UserToInvoice(mappers.DomainMapper[User, Invoice]):
        def map(self, value: User) -> Invoice:
            return Invoice(customer=Customer(title=value.name), amount=9)

    class BillToReceipt(mappers.DomainMapper[Bill, Receipt]):
        def map(self, value: Bill) -> Receipt:
            return Receipt(text=f"paid {value.total}")

    class MakeBill(command[Invoice, Bill]):
        _domain = "Billing"
        seen: Any = None
        runs = 0

        def execute(self) -> Bill:
            type(self).runs += 1
            type(self).seen = self.inputs
            return Bill(total=self.inputs.amount)

    class Order(command[User, Any]):
        _domain = "Shop"
        unmapped: Any = None
        to: Any = None
        extra: Any = {}  # noqa: RUF012

        def execute(self) -> Any:
            return self.run_mapped_subcommand(
                MakeBill, type(self).unmapped, type(self).to, **type(self).extra
            )

    def order(unmapped: Any = None, to: Any = None, **extra: Any) -> Any:
        Order.unmapped, Order.to, Order.extra = unmapped, to, extra
        return Order.run(name="ann")

    return SimpleNamespace(
        UserToCustomer=UserToCustomer,
        UserToInvoice=UserToInvoice,
        BillToReceipt=BillToReceipt,
        MakeBill=MakeBill,
        Order=Order,
        order=order,
    )


def test_a_mapper_knows_its_types(mappers, kit):
    assert kit.UserToCustomer.from_type() is User
    assert kit.UserToCustomer.to_type() is Customer

    class Child(kit.UserToCustomer):
        pass

    class Untyped(mappers.DomainMapper):
        def map(self, value: Any) -> Any:
            return value

    assert (Child.from_type(), Child.to_type()) == (User, Customer)
    assert (Untyped.from_type(), Untyped.to_type()) == (None, None)


def test_map_value_takes_values_and_dicts(kit):
    assert kit.UserToCustomer.map_value(User(name="ann")) == Customer(title="ANN")
    assert kit.UserToCustomer.map_value({"name": "bob"}) == Customer(title="BOB")


def test_map_may_read_the_value_from_the_mapper(mappers):
    class Old(mappers.DomainMapper[int, str]):
        def map(self) -> str:
            return str(self.from_value)

    assert Old.map_value(3) == "3"


def test_run_maps_the_value_once(mappers):
    made = []

    class Old(mappers.DomainMapper[int, str]):
        def map(self) -> str:
            made.append(self.from_value)
            return str(self.from_value)

    one = Old(3)
    assert (one.run(), one.run()) == ("3", "3")
    assert made == [3]
    assert Old.map_value(from_value=4) == "4"


def test_a_run_of_its_own_is_what_maps(mappers, registry):
    class Loud(mappers.DomainMapper[int, str]):
        def map(self, value: int) -> str:
            return str(value)

        def run(self) -> str:
            return super().run() + "!"

    assert Loud.map_value(3) == "3!"


def test_a_mapper_says_how_well_it_fits(kit):
    mapper = kit.UserToCustomer
    assert mapper.match_score(User, Customer) == 40
    assert mapper.match_score(Admin(name="a"), Customer(title="a")) == 30
    assert mapper.match_score({"name": "a"}, Customer) == 25
    assert mapper.match_score(None, None) == 2
    assert mapper.match_score({"title": "a"}, Customer) == mapper.match_score(User, Bill) == 0
    assert mapper.applicable(User, Customer) and not mapper.applicable(User, Bill)


def test_a_score_of_its_own_decides(mappers, registry, kit):
    class Picky(mappers.DomainMapper[User, Customer]):
        @classmethod
        def match_score(cls, from_value: Any, to_value: Any) -> int:
            return 100 if getattr(from_value, "name", None) == "ann" else 0

    registry.register(kit.UserToCustomer)
    registry.register(Picky)
    for find in (registry.find, registry.find_matching_mapper):
        assert find(User(name="bob"), Customer) is kit.UserToCustomer
        assert find(User(name="ann"), Customer) is Picky
        assert find(User(name="bob"), Customer) is kit.UserToCustomer


def test_mappers_are_found_by_name_and_by_domain(mappers, registry, sub):
    @mappers.domain_mapper(domain="Users", organization="Acme")
    class First(mappers.DomainMapper[User, Customer]):
        pass

    @mappers.domain_mapper(domain=sub("domain").Domain("Users"))
    class Second(mappers.DomainMapper[Admin, Customer]):
        pass

    third = registry.register(mapper_class=types.new_class("Third", (mappers.DomainMapper[User, Bill],)))
    assert (First.full_name(), Second.full_name()) == ("Acme::Users::First", "Users::Second")
    assert registry.get("Acme::Users::First") is First and registry.get("Third") is third
    assert registry.get("First") is None
    assert registry.list_for_domain("Users") == {"Acme::Users::First": First, "Users::Second": Second}
    assert registry.list_for_domain("Acme::Users") == {"Acme::Users::First": First}
    assert registry.list_for_domain("Global") == {"Third": third}
    assert registry.list_for_domain("Nowhere") == {}


def test_the_best_match_is_of_one_domain_or_of_all(mappers, registry):
    def mapper(source: Any, target: Any, where: Any) -> Any:
        return registry.register(types.new_class("M", (mappers.DomainMapper[source, target],)), where)

    wide, exact = mapper(User, Customer, "Shop"), mapper(Admin, Customer, "Stock")
    mapper(User, Customer, None)
    admin = Admin(name="a")
    assert registry.find_matching_mapper(admin, Customer) is exact
    assert registry.find_matching_mapper(admin, Customer, domain="Shop") is wide
    assert registry.find_matching_mapper(User(name="a"), Customer) is wide
    assert registry.find_matching_mapper(admin, Customer, domain="Nowhere") is None
    assert registry.find_matching_mapper(from_value=admin, to_value=Bill) is None


def test_a_mapper_is_no_command(kit, sub):
    with pytest.raises(TypeError, match="is not a command"):
        sub("core.registry").CommandRegistry().register(kit.UserToCustomer)


@pytest.mark.parametrize("given", [{"domain": 5}, {"organization": 5}, {"domain": "A", "organization": [1]}])
def test_a_decorator_for_no_domain_is_refused(mappers, kit, given):
    with pytest.raises(TypeError, match="must be a name or a"):
        mappers.domain_mapper(**given)(type("New", (kit.UserToCustomer,), {}))


def test_a_mapper_without_map_says_so(mappers):
    class Nothing(mappers.DomainMapper[int, str]):
        pass

    with pytest.raises(NotImplementedError, match="Nothing has no map"):
        Nothing.map_value(3)


@pytest.mark.parametrize(
    ("wanted", "given", "points"),
    [
        (User, User(name="a"), 20),
        (User, User, 20),
        (User, Admin(name="a"), 10),
        (User, Admin, 10),
        (Admin, User(name="a"), 0),
        (User, {"name": "a"}, 5),
        (User, {"title": "a"}, 0),
        (User, 3, 0),
        (None, 3, 1),
        (Any, User, 1),
        (User, None, 0),
        (User | None, None, 20),
        (User | None, Admin(name="a"), 10),
        (Annotated[User, "note"], User(name="a"), 20),
        (int, True, 10),
        (list[int], [1], 20),
        (list[int], list[int], 20),
        (list[int], list[str], 0),
        (list, list[int], 10),
        (User, User | None, 20),
        ("User", User, 0),
    ],
)
def test_score(mappers, wanted, given, points):
    assert mappers.score(wanted, given) == points


def test_the_highest_score_wins_and_the_first_of_equals(mappers, registry):
    def mapper(source: Any, target: Any) -> Any:
        return registry.register(types.new_class("M", (mappers.DomainMapper[source, target],)), "Shop")

    wide, exact, second = mapper(User, Customer), mapper(Admin, Customer), mapper(Admin, Customer)
    assert registry.find(Admin(name="a"), Customer, "Shop") is exact
    assert registry.find(User(name="a"), Customer, "Shop") is wide
    registry.unregister(exact)
    assert registry.find(Admin(name="a"), Customer, "Shop") is second
    registry.unregister(second)
    assert registry.find(Admin(name="a"), Customer, "Shop") is wide
    assert registry.find(Admin(name="a"), Receipt, "Shop") is None


def test_a_mapper_that_makes_a_subclass_fits_but_one_that_makes_a_base_does_not(mappers, registry):
    narrow = registry.register(types.new_class("Narrow", (mappers.DomainMapper[int, Admin],)))
    wide = registry.register(types.new_class("Wide", (mappers.DomainMapper[str, User],)))
    assert registry.find(1, User) is narrow
    assert registry.find("a", User) is wide
    assert registry.find("a", Admin) is None


def test_no_mapper_is_looked_for_where_no_type_is_wanted(mappers, registry, kit):
    registry.register(kit.UserToCustomer)
    for to in (None, Any, object):
        assert registry.find(User(name="a"), to) is None


def test_the_own_domain_comes_before_the_global_one(mappers, registry, sub):
    domain = sub("domain").Domain("Shop", "Acme")

    def mapper(where: Any) -> Any:
        return registry.register(types.new_class("M", (mappers.DomainMapper[User, Customer],)), where)

    everywhere = mapper(None)
    assert registry.find(User(name="a"), Customer, domain) is everywhere
    simple = mapper("Shop")
    assert registry.find(User(name="a"), Customer, domain) is simple
    full = mapper(domain)
    assert registry.find(User(name="a"), Customer, "Acme::Shop") is full
    assert registry.find(User(name="a"), Customer, "Other") is everywhere
    assert registry.mappers("Acme::Shop") == [full]
    assert registry.mappers() == [everywhere, simple, full]


def test_the_decorator_and_the_domain_of_the_mapper_itself(mappers, registry):
    @mappers.domain_mapper("Shop")
    class First(mappers.DomainMapper[User, Customer]):
        pass

    @mappers.domain_mapper()
    class Second(mappers.DomainMapper[User, Customer]):
        _domain = "Stock"
        _organization = "Acme"

    assert registry.mappers("Shop") == [First]
    assert registry.mappers("Acme::Stock") == [Second]


def test_registering_twice_keeps_one(registry, kit):
    for _ in range(3):
        registry.register(kit.UserToCustomer)
    assert registry.mappers() == [kit.UserToCustomer]
    assert registry.unregister(kit.UserToCustomer) is True
    assert registry.unregister(kit.UserToCustomer) is False


@pytest.mark.parametrize("value", [3, None, User, "mapper"])
def test_what_is_no_mapper_is_refused(registry, value):
    with pytest.raises(TypeError, match="mapper_class must be a class derived from DomainMapper"):
        registry.register(value)


@pytest.mark.parametrize("domain", [3, "", []])
def test_a_wrong_domain_is_refused(registry, kit, domain):
    with pytest.raises(TypeError, match="domain must be a name or a Domain"):
        registry.register(kit.UserToCustomer, domain)


def test_a_look_up_is_kept_until_a_mapper_comes_or_goes(mappers, registry, kit, monkeypatch):
    scored: list[Any] = []
    real = mappers._score
    monkeypatch.setattr(mappers, "_score", lambda *pair: scored.append(pair) or real(*pair))
    registry.register(kit.UserToCustomer)
    for _ in range(3):
        assert registry.find(User(name="a"), Customer) is kit.UserToCustomer
    assert len(scored) == 2
    assert registry.find(3, Customer) is None
    registry.clear()
    assert registry.find(User(name="a"), Customer) is None


def test_what_a_dict_fits_is_judged_by_its_content(registry, kit):
    registry.register(kit.UserToCustomer)
    assert registry.find({"name": "a"}, Customer) is kit.UserToCustomer
    assert registry.find({"other": "a"}, Customer) is None


@pytest.mark.mortal_classes
def test_the_cache_holds_classes_weakly_and_stays_small(mappers, registry, kit):
    registry.register(kit.UserToCustomer)

    def look() -> Any:
        local = type("Local", (), {})
        registry.find(local(), Customer)
        registry.find(3, local)
        return weakref.ref(local)

    refs = [look() for _ in range(mappers._CACHE_LIMIT)]
    gc.collect()
    assert [ref for ref in refs if ref() is not None] == []
    assert len(registry._cache) <= mappers._CACHE_LIMIT


def test_scoring_does_not_hold_the_lock(mappers, registry):
    class Reentrant(BaseModel):
        value: int

        @model_validator(mode="before")
        @classmethod
        def enter(cls, data: Any) -> Any:
            done = threading.Event()
            thread = threading.Thread(
                target=lambda: (
                    registry.register(types.new_class("N", (mappers.DomainMapper[int, str],))),
                    done.set(),
                )
            )
            thread.start()
            assert done.wait(10)
            return data

    registry.register(types.new_class("M", (mappers.DomainMapper[Reentrant, Customer],)))
    assert registry.find({"value": 1}, Customer) is not None


def test_the_whole_input_is_mapped(registry, kit):
    registry.register(kit.UserToInvoice)
    outcome = kit.order(User(name="ann"))
    assert outcome.result == Bill(total=9)
    assert kit.MakeBill.seen == Invoice(customer=Customer(title="ann"), amount=9)
    assert kit.order({"name": "bob"}).result == Bill(total=9)
    assert kit.MakeBill.seen.customer.title == "bob"


def test_extra_inputs_win(registry, kit):
    registry.register(kit.UserToInvoice)
    assert kit.order(User(name="ann"), amount=4).result == Bill(total=4)


def test_fields_are_mapped_one_by_one(registry, kit):
    registry.register(kit.UserToCustomer)
    outcome = kit.order({"customer": User(name="ann"), "amount": 3})
    assert outcome.result == Bill(total=3)
    assert kit.MakeBill.seen.customer == Customer(title="ANN")


def test_the_result_is_mapped(registry, kit):
    registry.register(kit.BillToReceipt)
    outcome = kit.order({"customer": {"title": "x"}, "amount": 3}, Receipt)
    assert outcome.result == Receipt(text="paid 3")


def test_inputs_and_result_are_mapped(registry, kit):
    registry.register(kit.BillToReceipt, "Shop")
    registry.register(kit.UserToInvoice, "Shop")
    assert kit.order(User(name="ann"), Receipt).result == Receipt(text="paid 9")


def test_an_unmapped_result_is_returned_as_it_is_when_the_inputs_were_mapped(registry, kit):
    registry.register(kit.UserToInvoice)
    assert kit.order(User(name="ann"), Receipt).result == Bill(total=9)


@pytest.mark.parametrize("to", [None, Receipt])
def test_when_nothing_can_be_mapped_the_subcommand_does_not_run(kit, to):
    outcome = kit.order({"customer": {"title": "x"}}, to)
    (error,) = outcome.errors
    assert error.symbol == "no_domain_mapper_found"
    assert error.category == "runtime"
    assert error.context == {"subcommand": "Billing::MakeBill", "to": to and "Receipt"}
    assert "Billing::MakeBill" in error.message
    assert kit.MakeBill.runs == 0


def test_a_mapper_for_another_result_does_not_let_the_subcommand_run(mappers, registry, kit):
    registry.register(types.new_class("M", (mappers.DomainMapper[User, Receipt],)))
    outcome = kit.order({"customer": {"title": "x"}}, Receipt)
    assert outcome.errors[0].symbol == "no_domain_mapper_found"
    assert kit.MakeBill.runs == 0


def test_a_mapper_for_a_subclass_of_the_result_is_tried_after_the_run(mappers, registry, kit):
    class BigBill(Bill):
        pass

    registry.register(types.new_class("M", (mappers.DomainMapper[BigBill, Receipt],)))
    outcome = kit.order({"customer": {"title": "x"}}, Receipt)
    assert outcome.errors[0].symbol == "no_domain_mapper_found"
    assert kit.MakeBill.runs == 1


@pytest.mark.parametrize("unmapped", [3, [1], "text", object()])
def test_inputs_that_are_no_mapping_and_fit_no_mapper_fail(registry, kit, unmapped):
    registry.register(kit.BillToReceipt)
    outcome = kit.order(unmapped, Receipt)
    assert outcome.errors[0].symbol == "no_domain_mapper_found"
    assert kit.MakeBill.runs == 0


def test_a_failing_subcommand_halts_with_its_errors(registry, kit):
    registry.register(kit.UserToCustomer)
    outcome = kit.order({"customer": User(name="ann"), "amount": "many"})
    assert [(error.symbol, error.path) for error in outcome.errors] == [("int_parsing", ("amount",))]


def test_a_mapper_that_raises_fails_the_command(mappers, registry, kit):
    class Broken(mappers.DomainMapper[User, Invoice]):
        def map(self, value: User) -> Invoice:
            raise LookupError("no such user")

    registry.register(Broken)
    (error,) = kit.order(User(name="ann")).errors
    assert (error.symbol, error.message) == ("execution_error", "no such user")
    assert kit.MakeBill.runs == 0


def test_a_mapper_may_return_a_dict_but_nothing_else(mappers, registry, kit):
    class AsDict(mappers.DomainMapper[User, Invoice]):
        def map(self, value: User) -> Any:
            return {"customer": {"title": value.name}, "amount": 2} if value.name == "ann" else 3

    registry.register(AsDict)
    assert kit.order(User(name="ann")).result == Bill(total=2)
    (error,) = kit.order(User(name="bob")).errors
    assert "AsDict made int for the inputs of a subcommand" in error.message


def test_what_is_no_command_is_a_clear_error(mappers, kit):
    with pytest.raises(
        TypeError, match="command_class must be a command class, not an instance of User"
    ) as caught:
        mappers.run_mapped(kit.Order(name="a"), User(name="hunter2"), kit.MakeBill)
    assert "hunter2" not in str(caught.value)


def test_aliases_of_the_inputs_are_kept(mappers, registry, sub):
    class Aliased(BaseModel):
        owner: Customer = Field(alias="theOwner")

    class Take(sub("core.command").Command[Aliased, str]):
        def execute(self) -> str:
            return self.inputs.owner.title

    class Give(sub("core.command").Command[User, str]):
        whole = False

        def execute(self) -> Any:
            user = User(name="ann")
            return self.run_mapped_subcommand(Take, user if self.whole else {"theOwner": user})

    class One(mappers.DomainMapper[User, Customer]):
        def map(self, value: User) -> Customer:
            return Customer(title=value.name)

    class Whole(mappers.DomainMapper[User, Aliased]):
        def map(self, value: User) -> Aliased:
            return Aliased(theOwner=Customer(title=value.name + "!"))

    registry.register(One)
    assert Give.run(name="x").result == "ann"
    registry.register(Whole)
    Give.whole = True
    assert Give.run(name="x").result == "ann!"


@pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 11),
    reason="validate_by_alias came with Pydantic 2.11",
)
def test_inputs_that_only_take_field_names_get_them(mappers, registry, kit, sub):
    class ByName(BaseModel):
        model_config = {"validate_by_alias": False, "validate_by_name": True}
        owner: Customer = Field(alias="theOwner")

    class Take(sub("core.command").Command[ByName, str]):
        def execute(self) -> str:
            return self.inputs.owner.title

    class Give(sub("core.command").Command[User, str]):
        def execute(self) -> Any:
            return self.run_mapped_subcommand(Take, {"owner": User(name="ann")})

    registry.register(kit.UserToCustomer)
    assert Give.run(name="x").result == "ANN"


def test_a_result_of_no_declared_type_may_always_be_mapped(registry, kit, sub):
    class Anything(sub("core.command").Command[User, Any]):
        def execute(self) -> Any:
            return Bill(total=5)

    class Give(sub("core.command").Command[User, Any]):
        def execute(self) -> Any:
            return self.run_mapped_subcommand(Anything, {"name": "ann"}, to=Receipt)

    registry.register(kit.BillToReceipt)
    assert Give.run(name="x").result == Receipt(text="paid 5")


def test_a_class_that_stands_for_a_domain_names_it(registry, kit, sub):
    @sub("domain").foobara_domain(organization="Acme")
    class Shop:
        pass

    registry.register(kit.UserToCustomer, Shop)
    assert registry.mappers("Acme::Shop") == [kit.UserToCustomer]


def test_the_dependency_between_domains_still_counts(registry, kit, sub):
    registry.register(kit.UserToInvoice)
    shop = sub("domain").Domain("Shop")
    (error,) = kit.order(User(name="ann")).errors
    assert error.context["exception_type"] == "DomainDependencyError"
    shop.depends_on("Billing")
    assert kit.order(User(name="ann")).result == Bill(total=9)


def test_the_async_form_awaits_the_subcommand(mappers, registry, kit, sub):
    class Later(sub("core.async_command").AsyncCommand[User, Any]):
        async def execute(self) -> Any:
            return await mappers.run_mapped_async(self, kit.MakeBill, self.inputs, Receipt)

    registry.register(kit.UserToInvoice)
    registry.register(kit.BillToReceipt)
    assert asyncio.run(Later.run(name="ann")).result == Receipt(text="paid 9")


def test_the_module_path_of_foobara_py(mappers, sub):
    assert sub("domain.domain_mapper").DomainMapper is mappers.DomainMapper


@pytest.mark.parametrize("kind", [staticmethod, lambda function: function])
def test_a_match_score_that_is_no_class_method(mappers, registry, kind):
    class Own(mappers.DomainMapper[User, Customer]):
        match_score = kind(lambda value, to: answer)

        def map(self):
            return Customer(title=self.from_value.name)

    registry.register(Own)
    answer = 3
    assert registry.find(User(name="a"), Customer) is Own
    assert registry.find_matching_mapper(User(name="a"), Customer) is Own
    answer = 0
    assert registry.find(User(name="a"), Customer) is None
    answer = None
    for find in (registry.find, registry.find_matching_mapper):
        with pytest.raises(TypeError, match=r"Own\.match_score\(\) returns a number, .*, not NoneType"):
            find(User(name="a"), Customer)


def test_a_class_that_the_decorator_refuses_stays_as_it_was(mappers, registry):
    class Own(mappers.DomainMapper[User, Customer]):
        def map(self):
            return Customer(title=self.from_value.name)

    for given in (("D", 3), (3, "O")):
        with pytest.raises(TypeError, match="must be a name or"):
            mappers.domain_mapper(*given)(Own)
    assert not vars(Own).keys() & {"_domain", "_organization"}
    assert registry.mappers() == []


def test_the_decorator_works_bare(mappers, registry):
    @mappers.domain_mapper
    class First(mappers.DomainMapper[User, Customer]):
        _domain = "Shop"

    assert isinstance(First, type) and registry.mappers("Shop") == [First]


def test_a_function_command_runs_as_a_mapped_subcommand(mappers, registry, sub):
    simple = sub("core.simple")

    @simple.simple_command
    def greet(name: str) -> str:
        return f"hello {name}"

    @mappers.domain_mapper()
    class Shorter(mappers.DomainMapper[User, dict]):
        def map(self, value):
            return {"name": value.name}

    class Asks(sub("core.command").Command[User, str]):
        def execute(self):
            return self.run_mapped_subcommand(greet, {"name": "a"}, to=str)

    class Upper(mappers.DomainMapper[str, str]):
        def map(self, value):
            return value.upper()

    registry.register(Upper)
    assert Asks.run(name="b").unwrap() == "HELLO A"
