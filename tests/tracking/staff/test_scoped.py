"""What screens write of rows that somebody may look at and not change."""

from __future__ import annotations

from tracking.staff.scoped import listed


def test_json_that_cannot_be_changed_is_written_in_words() -> None:
    assert listed("<div><pre><span>[</span> <span>]</span></pre></div><div><pre>[]</pre></div>", empty="any") == "any"
    assert listed("<pre>[\n &quot;champions&quot;,\n &quot;a&lt;b&quot;\n]</pre>", empty="any") == "champions, a&lt;b"
    kept = '<pre>{"a": 1}</pre>'
    assert listed(kept, empty="-") == kept
    assert listed("-", empty="any") == listed("", empty="any") == "any"
