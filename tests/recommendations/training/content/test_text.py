"""What encoders read of an item, and when it counts as changed."""

from __future__ import annotations

from recommendations.training.content.text import ItemText, digest, normal, text_digest

BOOT = ItemText(
    item_id="1", unit="g", title="Trail Boot", category="Shoes > Boots", brand="Alta", description="Waxed.",
    attributes={"colour": ["red", "blue"], "size": 42}, tags=("new",),
)  # fmt: skip


def test_words_of_any_script_stay_and_all_else_becomes_one_blank() -> None:
    assert normal("  \uff34\uff25\uff21-Light, Größe\t№5 чай 茶!") == "tea light grösse no5 чай 茶"


def test_a_path_counts_at_each_level_and_names_are_kept_whole() -> None:
    names = {each.text for each in BOOT.fields() if each.is_name}

    assert {"category=shoes", "category=shoes>boots", "brand=alta", "colour=red", "colour=blue", "size=42"} <= names
    assert "trail boot" in {each.text for each in BOOT.fields() if not each.is_name}


def test_the_sentence_begins_with_the_title_and_leaves_out_what_is_empty() -> None:
    assert BOOT.sentence() == "Trail Boot. Alta. Shoes > Boots. colour: red, blue; size: 42. new. Waxed."
    assert ItemText(item_id="2", unit="2", title="Mug").sentence() == "Mug"


def test_the_digest_changes_with_every_text_and_with_nothing_else() -> None:
    def of(**changes: object) -> object:
        known = {name: getattr(BOOT, name) for name in ItemText.__slots__}
        return text_digest(ItemText(**{**known, **changes}))

    same = {of(), of(item_id="7"), of(unit="h"), of(image_url="https://shop.example/1.jpg")}
    others = [
        of(title="Trail boots"), of(category="Shoes"), of(brand="Brio"), of(description="Waxed!!"),
        of(attributes={"colour": "red"}), of(tags=()),
    ]  # fmt: skip

    assert len(same) == 1
    assert len({*same, *others}) == 1 + len(others)
    assert digest("ab", "c") != digest("a", "bc")
