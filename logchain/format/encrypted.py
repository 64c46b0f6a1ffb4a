"""Evidence that only its recipient can read: chunk after chunk, so that gigabytes need no memory.

docs/spec/evidence.md. Composed of libsodium's sealed box and secretstream (XChaCha20-Poly1305), and of nothing else.
"""

from nacl.bindings import (
    crypto_box_seal,
    crypto_box_seal_open,
    crypto_box_SEALBYTES,
    crypto_secretstream_xchacha20poly1305_ABYTES,
    crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    crypto_secretstream_xchacha20poly1305_init_pull,
    crypto_secretstream_xchacha20poly1305_init_push,
    crypto_secretstream_xchacha20poly1305_keygen,
    crypto_secretstream_xchacha20poly1305_pull,
    crypto_secretstream_xchacha20poly1305_push,
    crypto_secretstream_xchacha20poly1305_state,
    crypto_secretstream_xchacha20poly1305_TAG_FINAL,
    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE,
)
from nacl.exceptions import CryptoError

from logchain.format.errors import FormatError, SecretError
from logchain.format.recipient import Recipient

__all__ = ["ENCRYPTED", "Decryption", "Encryption"]

ENCRYPTED = b"logchain encrypted evidence v1\n"

_CHUNK = 65_536  # bytes of text in each chunk but the last, which has fewer, or none
_MESSAGE = crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL = crypto_secretstream_xchacha20poly1305_TAG_FINAL
_STORED = _CHUNK + crypto_secretstream_xchacha20poly1305_ABYTES
_BOX = 32 + crypto_box_SEALBYTES
_HEAD = len(ENCRYPTED) + _BOX + crypto_secretstream_xchacha20poly1305_HEADERBYTES
_CHANGED = "it was changed, cut off, or put together of pieces"


class Encryption:
    """Bytes in, bytes out; `finish` is what makes it whole."""

    def __init__(self, recipient: Recipient) -> None:
        key = crypto_secretstream_xchacha20poly1305_keygen()
        self._state = crypto_secretstream_xchacha20poly1305_state()
        header = crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
        self._out = ENCRYPTED + crypto_box_seal(key, recipient.key) + header
        self._rest = b""

    def take(self, data: bytes) -> bytes:
        """Return what can be written once these bytes are there."""
        data, out = self._rest + data, [self._out]
        self._out = b""
        whole = len(data) // _CHUNK * _CHUNK
        out += [self._push(data[at : at + _CHUNK], _MESSAGE) for at in range(0, whole, _CHUNK)]
        self._rest = data[whole:]
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the last bytes."""
        return self.take(b"") + self._push(self._rest, _FINAL)

    def _push(self, data: bytes, tag: int) -> bytes:
        return crypto_secretstream_xchacha20poly1305_push(self._state, data, None, tag)


class Decryption:
    """Bytes in, in any split; bytes out, each of them authenticated. Nothing is whole before `finish` returns."""

    def __init__(self, secret: bytes, recipient: Recipient) -> None:
        self._secret, self._recipient = secret, recipient
        self._state: crypto_secretstream_xchacha20poly1305_state | None = None
        self._rest = b""

    def take(self, data: bytes) -> bytes:
        """Return what these bytes make known; FormatError where they are not what was encrypted, SecretError."""
        self._rest += data
        if not self._state:
            if len(self._rest) < _HEAD:
                return b""
            self._begin(self._rest[:_HEAD])
            self._rest = self._rest[_HEAD:]
        # the last chunk is shorter than the others: it is what is left at the end
        whole = len(self._rest) // _STORED * _STORED
        out = [self._pull(self._rest[at : at + _STORED], _MESSAGE) for at in range(0, whole, _STORED)]
        self._rest = self._rest[whole:]
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the last bytes; raises as `take`, also where the end is missing."""
        if not self._state:
            raise FormatError("not an encrypted evidence file, or one that is cut off")
        return self._pull(self._rest, _FINAL)

    def _begin(self, head: bytes) -> None:
        if not head.startswith(ENCRYPTED):
            raise FormatError("not an encrypted evidence file, or one of another version")
        box, header = head[len(ENCRYPTED) : len(ENCRYPTED) + _BOX], head[len(ENCRYPTED) + _BOX :]
        try:
            key = crypto_box_seal_open(box, self._recipient.key, self._secret)
        except CryptoError as error:
            raise SecretError("it is encrypted to somebody else, or its beginning was changed") from error
        self._state = crypto_secretstream_xchacha20poly1305_state()
        crypto_secretstream_xchacha20poly1305_init_pull(self._state, header, key)

    def _pull(self, chunk: bytes, wanted: int) -> bytes:
        assert self._state
        try:
            data, tag = crypto_secretstream_xchacha20poly1305_pull(self._state, chunk, None)
        except (CryptoError, ValueError) as error:
            raise FormatError(_CHANGED) from error
        if tag != wanted:
            raise FormatError(_CHANGED)
        return data
