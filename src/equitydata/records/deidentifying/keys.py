"""The key of pseudonyms: a file that only its owner can read, and what it makes of a text.

The key is in no output, message or SQL text. Its bytes are used as they stand, a line break at the end included.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from equitydata.errors import ConfigError, OutputError
from equitydata.records.deidentifying.choices import load_choices

# HMAC of SHA-256 works on blocks of so many bytes (FIPS 198-1).
BLOCK = 64
INNER, OUTER = 0x36, 0x5C
# A key is short; whoever names a larger file has named another.
LARGEST_KEY = 4096
FEWEST_DIFFERENT_BYTES = 8
OTHERS = 0o077
MADE_BYTES = 48


@dataclass(frozen=True)
class Key:
    """A key. kept : it lies in a file, so that the same pseudonyms can be made again."""

    content: bytes = field(repr=False)
    kept: bool = True

    @property
    def mark(self) -> str:
        """Eight digits by which two files show that they were made with the same key; the key cannot be told."""
        return hmac.new(self.content, b"equitydata key mark", hashlib.sha256).hexdigest()[:8]

    def pads(self) -> pa.Table:
        """The two blocks that HMAC puts before a message: columns inner and outer, one row."""
        key = self.content if len(self.content) <= BLOCK else hashlib.sha256(self.content).digest()
        block = key.ljust(BLOCK, b"\0")
        padded = {
            name: pa.array([bytes(byte ^ pad for byte in block)], pa.binary())
            for name, pad in (("inner", INNER), ("outer", OUTER))
        }
        return pa.table(padded)


def chance_key() -> Key:
    """A key of chance that is thrown away with the run: its pseudonyms hold within one file."""
    return Key(secrets.token_bytes(MADE_BYTES), kept=False)


def read_key(path: Path, *, output: Path | None) -> Key:
    """The key of a file.

    output : file that is to be written; the key may not lie in its folder, nor below. None for a trial run.
    Raises ConfigError where there is none, where it is short or the same byte over and over, where others can read it,
    or where it would travel with the output.
    """
    where = f"key file {path.name}"
    if not path.is_file():
        raise ConfigError(
            "There is no such key file.", where=where, mend="Name another, or add --make-key to make it."
        )
    if output is not None:
        _refuse_beside(path, output, where)
    try:
        status, content = path.stat(), path.read_bytes()[: LARGEST_KEY + 1]
    except OSError as error:
        raise ConfigError(f"The key file cannot be read ({error.strerror}).", where=where) from None
    if os.name == "posix" and status.st_mode & OTHERS:
        raise ConfigError(
            "Others on this machine can open the key file.",
            where=where,
            mend=f"Make it yours alone: chmod 600 {path.name}",
        )
    return Key(_checked(content, where))


def _checked(content: bytes, where: str) -> bytes:
    least = load_choices().value("key_bytes")
    if len(content) > LARGEST_KEY:
        raise ConfigError("The file is too large to be a key.", where=where, mend="Name the key file.")
    if len(content) < least or len(set(content)) < FEWEST_DIFFERENT_BYTES:
        raise ConfigError(
            f"The key is too weak: it needs at least {least} bytes of chance.",
            where=where,
            mend="Let --make-key make one, in a new file.",
        )
    return content


def _refuse_beside(path: Path, output: Path, where: str) -> None:
    folder = output.absolute().parent.resolve()
    if path.resolve().is_relative_to(folder):
        raise ConfigError(
            "The key would lie with the file that is shared, and whoever has both can undo the pseudonyms.",
            where=where,
            mend="Keep the key in a place of its own, or write the file to a folder of its own.",
        )


def make_key(path: Path, *, output: Path) -> None:
    """Write a new key of chance that only its owner can read; an existing file is never touched.

    Raises OutputError where it exists or the disk refuses, ConfigError where it would travel with the output.
    """
    where = f"key file {path.name}"
    _refuse_beside(path, output, where)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise OutputError(
            "The key file exists already, and a new key would break with every earlier file.",
            where=where,
            mend="Leave --make-key out to use it.",
        ) from None
    except OSError as error:
        raise OutputError(f"The key cannot be written ({error.strerror}).", where=where) from None
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(MADE_BYTES))
        file.flush()
        os.fsync(file.fileno())
