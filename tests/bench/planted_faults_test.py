"""The short form of planted_faults.py: what must be found is found."""
import planted_faults


def test_planted_faults_are_found():
    rows = planted_faults.evaluate(*planted_faults.plant(10000, 100, "report", seed=3))
    by_kind = {}
    for row in rows:  # A kind counts with the best of its findings.
        by_kind.setdefault(row["kind"], []).append(row)
    for kind in ("copy", "black", "noise"):
        assert max(min(r["recall"], r["precision"]) for r in by_kind[kind]) >= 0.95, by_kind[kind]
    for kind in ("inverted", "blurred", "other"):
        assert max(r["recall"] for r in by_kind[kind]) >= 0.9, by_kind[kind]
        assert max(r["precision"] for r in by_kind[kind]) >= 0.8, by_kind[kind]
    assert by_kind["near"][0]["recall"] >= 0.6, by_kind["near"]
    assert by_kind["near"][0]["precision"] >= 0.6, by_kind["near"]


def test_sound_images_are_mostly_left_alone():
    images, kinds, _ = planted_faults.plant(3000, 1, "report", seed=4)
    named = {image for kind, image, _, _ in planted_faults.judge(images, [])
             if kind in ("near_duplicate", "outlier", "constant", "dark", "light") and kinds[image] == "sound"}
    assert len(named) <= 30, len(named)
