"""Mappers may take the value, or read it from ``from_value``."""

from typing import reveal_type

from pydantic import BaseModel

from foobara_accel import DomainMapper


class Celsius(BaseModel):
    degrees: float


class Kelvin(BaseModel):
    kelvin: float


class ToKelvin(DomainMapper[Celsius, Kelvin]):
    def map(self, value: Celsius) -> Kelvin:
        return Kelvin(kelvin=value.degrees + 273.15)


class ByAttribute(DomainMapper[Celsius, Kelvin]):
    def map(self) -> Kelvin:
        return Kelvin(kelvin=self.from_value.degrees + 273.15)


reveal_type(ToKelvin.map_value(Celsius(degrees=1)))  # reveal: Kelvin
reveal_type(ByAttribute(Celsius(degrees=1)).map())  # reveal: Kelvin
reveal_type(ByAttribute(Celsius(degrees=1)).run())  # reveal: Kelvin
ToKelvin(Celsius(degrees=1)).map("1")  # error: both
