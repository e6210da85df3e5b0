from __future__ import annotations

from lightning_emorec.nested import flat, override


def test_a_flat_config_has_dotted_keys_and_keeps_what_is_empty() -> None:
    assert dict(flat({"a": {"b": {"c": 1}, "d": {}}, "e": [2]})) == {"a.b.c": 1, "a.d": {}, "e": [2]}


def test_an_override_changes_a_copy() -> None:
    config = {"model": {"init_args": {"lr": 1.0}}}
    changed = override(config, {"model.init_args.lr": 2.0, "trainer.max_epochs": 3})
    assert changed == {"model": {"init_args": {"lr": 2.0}}, "trainer": {"max_epochs": 3}}
    assert config == {"model": {"init_args": {"lr": 1.0}}}


def test_an_override_goes_through_what_was_none() -> None:
    assert override({"trainer": None}, {"trainer.max_epochs": 3}) == {"trainer": {"max_epochs": 3}}
