"""Errors of a command as an RFC 9457 problem document, as an HTTP endpoint would answer."""

from __future__ import annotations

import json

from pydantic import BaseModel, SecretStr

from foobara_accel import Command


class Address(BaseModel):
    street: str
    zip_code: str


class SignUpInputs(BaseModel):
    email: str
    password: SecretStr
    addresses: list[Address]


TAKEN = {"ada@example.org"}


class SignUp(Command[SignUpInputs, str]):
    """Register a user and return the address that was registered."""

    def validate(self) -> None:
        if self.inputs.email in TAKEN:
            self.add_input_error("email", "taken", "this address is registered already")

    def execute(self) -> str:
        return self.inputs.email


SignUp.possible_error("taken", "the address is registered already")


def respond(body: bytes) -> tuple[int, str, bytes]:
    """Return status, content type and body for a request's body."""
    outcome = SignUp.run_json(body)
    problem = outcome.to_problem()
    if problem is None:
        return 201, "application/json", outcome.to_json_bytes()
    return problem["status"], "application/problem+json", json.dumps(problem, indent=2).encode()


def main() -> None:
    bodies = (
        b'{"email": "eve@example.org", "password": "s3cret", "addresses": []}',
        b'{"email": "ada@example.org", "password": "s3cret", "addresses": []}',
        b'{"email": 5, "password": "s3cret", "addresses": [{"street": "Main St"}]}',
        b'{"email": "eve@example.org", "passw',
    )
    for body in bodies:
        status, content_type, answer = respond(body)
        print(status, content_type)
        print(answer.decode())
        assert b"s3cret" not in answer


if __name__ == "__main__":
    main()
