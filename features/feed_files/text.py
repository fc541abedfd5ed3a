"""A feed's bytes as text: the encoding is told from the file, and what does not fit it is mended and counted.

A file is taken for UTF-8 until it says otherwise (a byte order mark, zero bytes of UTF-16, an XML declaration). Bytes
that are no UTF-8 are read as Windows-1252, which is what they nearly always are: in a file of that encoding, and in a
file of UTF-8 into which one wrong value was pasted.

References
----------
WHATWG, "Encoding Standard" (ISO-8859-1 and US-ASCII name Windows-1252).
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Final

from features.feed_files.report import FeedReport

MAX_LINE: Final = 1 << 20
_HEAD: Final = 1 << 12
_CHUNK: Final = 1 << 14
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_DECLARED: Final = re.compile(rb"""<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{2,20})["']""")
_KNOWN: Final = re.compile(
    r"(windows|cp)-?(125\d|866|874|932|936|949|950)|iso-?8859-?\d+|latin-?\d|koi8-[ru]|shift.?jis|euc-(jp|kr)"
    r"|gb(2312|k|18030)|big5|mac.?roman|tis-620"
)
_WINDOWS: Final = re.compile(r"us-ascii|ascii|iso-?8859-?1|latin-?1|(windows-?|cp)1252")
_NOISE: Final = re.compile(
    r"\s*(<br\s*/?>\s*|((<[bp]>)?\s*(php )?(warning|notice|deprecated|fatal error|strict standards|parse error)\b"
    r"(</[bp]>)?\s*:.*))?\s*",
    re.IGNORECASE,
)
_MOST_NOISE: Final = 200


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    text = "".join(bytes((byte,)).decode("cp1252", "ignore") or chr(byte) for byte in wrong)
    return text, error.end


_LENIENT: Final = "recsite_windows_1252"
codecs.register_error(_LENIENT, _as_windows_1252)


class FeedText:
    """The text of a feed, read once, by lines or by chunks; every line ends with a line feed.

    Attributes
    ----------
    line : int
        The line that was read last, counted from 1.
    head : str
        The beginning of the text, for those who tell formats; reading does not miss it.
    """

    def __init__(self, stream: io.BufferedReader, report: FeedReport) -> None:
        self._stream = stream
        self._report = report
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        head = stream.read(_HEAD)
        self._encoding = _encoding(head, report)
        factory = codecs.getincrementaldecoder(self._encoding)
        self._decoder = factory(_LENIENT if self._encoding == "utf-8" else "replace")
        self._ended = False
        self._buffer = self._decoded(head, final=len(head) < _HEAD).lstrip("\ufeff")
        self.line = 0
        self._skip_noise()

    @property
    def head(self) -> str:
        """Return the beginning of what was not read yet."""
        return self._buffer[:_HEAD]

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield each line with its number, without its end; of one longer than ``MAX_LINE``, the beginning."""
        while (line := self._readline()) is not None:
            yield self.line, line[:MAX_LINE]

    def chunks(self) -> Iterator[str]:
        """Yield the rest of the text."""
        while self._buffer or self._fill():
            chunk, self._buffer = self._buffer, ""
            yield chunk

    def _readline(self) -> str | None:
        parts: list[str] = []
        size = 0
        while True:
            line, end, rest = self._buffer.partition("\n")
            if size <= MAX_LINE:
                parts.append(line)
            size += len(line)
            self._buffer = rest
            if end:
                break
            if not self._fill():
                if not size:
                    return None
                break
        self.line += 1
        return "".join(parts)

    def _fill(self) -> bool:
        """Read on; return whether there was more."""
        while not self._ended:
            data = self._stream.read(_CHUNK)
            self._buffer = self._decoded(data, final=not data)
            if self._buffer:
                return True
        return False

    def _decoded(self, data: bytes, *, final: bool) -> str:
        self._ended = final
        if self._encoding != "utf-8":
            return self._newlines.decode(self._decoder.decode(data, final), final)
        before = self._decoder.getstate()[0]
        text = self._decoder.decode(data, final)
        if not text.isascii():
            whole = before + data
            taken = whole[: len(whole) - len(self._decoder.getstate()[0])]
            if wrong := len(text) - len(taken.decode("utf-8", "ignore")):
                self._report.note("characters that are no UTF-8 were read as Windows-1252; save the file as UTF-8")
                self._report.mend("", "read as Windows-1252", "", count=wrong)
        return self._newlines.decode(text, final)

    def _skip_noise(self) -> None:
        """Pass over blank lines and a server's warnings before the feed."""
        skipped = 0
        while skipped < _MOST_NOISE and "\n" in self._buffer:
            line, _, rest = self._buffer.partition("\n")
            if not _NOISE.fullmatch(line[:2_000]) or not rest.strip():
                break
            self._buffer = rest
            self.line += 1
            skipped += 1
        if skipped:
            self._report.mend("", "lines before the feed were skipped", "", line=1, count=skipped)


def _encoding(head: bytes, report: FeedReport) -> str:
    for mark, name in _MARKS:
        if head.startswith(mark):
            if name != "utf-8":
                report.note(f"read as {name.upper()}")
            return name
    zeros = (head[:200:2].count(0), head[1:200:2].count(0))
    if max(zeros) > len(head[:200]) // 4 and min(zeros) * 4 < max(zeros):  # text in which every other byte is 0
        name = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        report.note(f"read as {name.upper()}")
        return name
    declared = _DECLARED.search(head)
    name = declared[1].decode().lower() if declared else "utf-8"
    if name in ("utf-8", "utf8") or not (_KNOWN.fullmatch(name) or _WINDOWS.fullmatch(name)):
        return "utf-8"
    if not head.isascii() and _is_utf_8(head):
        report.note(f"says {name.upper()} and is UTF-8")
        return "utf-8"
    if _WINDOWS.fullmatch(name):
        name = "cp1252"
    try:
        codecs.lookup(name)
    except LookupError:
        report.note(f"says an encoding {name.upper()} that is not known; read as UTF-8")
        return "utf-8"
    report.note(f"read as {'Windows-1252' if name == 'cp1252' else name.upper()}, as it says")
    return name


def _is_utf_8(head: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        return False
    return True
