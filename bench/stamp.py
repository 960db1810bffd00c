"""A token that says which one it is and when its model said it, in letters only.

Letters, because a guard that looks for numbers must not see any, and a tokenizer-free model may not split it.
Only the standard library: peers import this inside environments of their own.
"""

import re
import time

INDEX_LETTERS = 3
CLOCK_LETTERS = 12
TOKEN = re.compile(rf"[a-z]{{{INDEX_LETTERS + CLOCK_LETTERS}}}")


def letters(number: int, width: int) -> str:
    """A number in base 26, most significant letter first."""
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 26)
        digits.append(chr(97 + digit))
    return "".join(reversed(digits))


def number(text: str) -> int:
    value = 0
    for letter in text:
        value = value * 26 + ord(letter) - 97
    return value


def token(index: int) -> str:
    """Said now: CLOCK_MONOTONIC is the same clock in every process of a machine."""
    return letters(index, INDEX_LETTERS) + letters(time.monotonic_ns(), CLOCK_LETTERS)


def read(token: str) -> tuple[int, int]:
    """Its index, and nanoseconds of CLOCK_MONOTONIC."""
    return number(token[:INDEX_LETTERS]), number(token[INDEX_LETTERS:])
