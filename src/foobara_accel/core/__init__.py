"""The core: commands, what they are made of and what they answer with. Import from the modules."""

__all__: list[str] = []
