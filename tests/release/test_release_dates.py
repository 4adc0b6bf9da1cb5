"""A birth date is found in whatever way it is written, another day is not, and what only looks like a date is none."""

import sys
from datetime import date, timedelta
from importlib import metadata
from unicodedata import normalize

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from faceage_bio.release.dates import MONTHS, days_of_cell
from faceage_bio.release.gate import check_folder
from faceage_bio.release.known import Known, known_of_columns

BIRTH = date(1950, 4, 3)
PHOTO = date(2019, 8, 7)
PEOPLE = Known(births={BIRTH}, dates={BIRTH, PHOTO})
# what people in seven languages call the months, with accents; the module has them without
NAMES = {
    "English": "January February March April May June July August September October November December",
    "English, short": "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec",
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "German, short": "Jan. Febr. Mrz Apr. Mai Jun. Jul. Aug. Sept. Okt. Nov. Dez.",
    "Austrian": "Jänner Feber März April Mai Juni Juli August September Oktober November Dezember",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "French, short": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Italian, short": "gen feb mar apr mag giu lug ago set ott nov dic",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november december",
    "Dutch, short": "jan. feb. mrt. apr. mei jun. jul. aug. sep. okt. nov. dec.",
}
NUMBERS = (
    "{y}-{m:02}-{d:02}", "{y}/{m}/{d}", "{y}.{m:02}.{d:02}", "{y}{m:02}{d:02}", "{d:02}{m:02}{y}", "{m:02}{d:02}{y}",
    "{d}.{m}.{y}", "{d}. {m}. {y}", "{d:02}/{m:02}/{y}", "{m}/{d}/{y}", "{m:02}-{d:02}-{y}", "{d}\u2011{m}\u2011{y}",
    "{d:02}/{m:02}/{s:02}", "{m:02}/{d:02}/{s:02}", "{d}/{m}/{s:02}", "{d}.{m}.{s:02}", "{d:02}.{m:02}.{s:02}", "{m}.{d}.{s:02}",
    "{d:02}-{m:02}-{s:02}", "{d}-{m}-{s:02}", "{s:02}-{m:02}-{d:02}", "{s:02}/{m:02}/{d:02}", "{s:02}.{m:02}.{d:02}",
)  # fmt: skip
WORDS = (
    "{d} {name} {y}", "{d:02} {name} {y}", "{d}. {name} {y}", "{name} {d}, {y}", "{name} {d:02} {y}", "{d}-{name}-{y}", "{d:02}{name}{y}",
    "{d}er {name} {y}", "{d}th of {name}, {y}", "{name} the {d}th, {y}", "{name} the {d} {y}", "{d} de {name} de {y}", "{d} de {name} del {y}", "{d}º {name} {y}", "{y} {name} {d}", "{y}-{name}-{d:02}",
    "{d} {name} {s:02}", "{d}. {name} '{s:02}", "{d:02}-{name}-{s:02}", "{d:02}{name}{s:02}", "{name} {d}, '{s:02}", "{name} {d}, ’{s:02}",
)  # fmt: skip
AROUND = (
    "{}", "born {}.", "<td>{}</td>", '{{"a":"{}"}}', "a,{},b", "DOB:{}", "v. {}", "({})", "x\t{}\n", "={} ", "{}; 12",
)  # fmt: skip
births = st.dates(date(1915, 1, 1), date(2015, 12, 31))


@st.composite
def ways(draw) -> str:
    """One way of writing a day, to be filled in."""
    if draw(st.booleans()):
        return draw(st.sampled_from(NUMBERS))
    form = draw(st.sampled_from(["nfc", "nfd", "upper"]))
    names = NAMES[draw(st.sampled_from(sorted(NAMES)))]
    names = {"nfc": names, "nfd": normalize("NFD", names), "upper": names.upper()}[form]
    return (
        draw(st.sampled_from(WORDS)).replace("{name}", "{names[MONTH]}").replace("MONTH", "{m}") + "|" + names
    )


def written(way: str, day: date) -> str:
    words, _, names = way.partition("|")
    of_month = dict(enumerate(names.split(), 1)).get(day.month, "")
    words = words.replace("{names[{m}]}", of_month)
    return words.format(y=day.year, s=day.year % 100, m=day.month, d=day.day)


def found(text: str, people: Known = PEOPLE) -> list[str]:
    return [what for _, kind, what in people.in_text(text) if kind == "date"]


@settings(deadline=None)  # the versions of what is installed are read once
@given(births, ways(), st.sampled_from(AROUND))
def test_a_birth_is_found_however_it_is_written(birth, way, around):
    told = found(around.format(written(way, birth)), Known(births={birth}, dates={birth}))
    assert told
    assert all("is the date of birth of a person" in what for what in told)
    assert not any(written(way, birth) in what for what in told)  # it is not repeated


@settings(deadline=None)
@given(births, st.integers(-800, 800), ways(), st.sampled_from(AROUND))
def test_another_day_is_not_found(birth, more, way, around):
    other = birth + timedelta(days=more)
    parts = [sorted((day.day, day.month, day.year % 100)) for day in (birth, other)]
    assume(parts[0] != parts[1])  # 3.4.50 and 4.3.50 may be the same day
    assert found(around.format(written(way, other)), Known(births={birth}, dates={birth})) == []


@pytest.mark.parametrize(
    "text",
    [
        "version 3.4.50", "Version: 3.4.50", "v3.4.50", "v 3.4.50", '"version": "3.4.50"', "lib==3.4.50", "lib>=3.4.50", "lib@3.4.50", "3.4.50rc1", "3.4.50+cu121",
        "1.3.4.50", "3.4.50.1", "10.3.4.50", "13.4.50", "3.4.505", "3.4,50", "3,4,50",  # versions, addresses, numbers
        "1-3-4-50", "03-04-50-12", "3-4-50a", "a3-4-50", "+3-4-50", "2:50-04-03", "03:04:50", "T03:04:50", "2024-11-28T03:04:50Z",  # ranges, times
        "3/4-50", "03.04-50", "3 4 50", "030450", "500403",  # other separators, or none
        "1/03/04/50", "03/04/50/2", "a/3/4/50", "3/4/50.5", "3/4/501", "0.03/04/50",  # paths and fractions
        "set 3, 50 genes", "April 3 50", "3 April 50.5", "0.3 April 50", "p = 0.03 apr 50", "3 april 501", "3 apricots 50", "3 Monat 50",
        "PMID: 19500403", "pubmed/19500403", "PMID 03041950", "0.19500403", "chr1:119500403", "195004030", "x03041950", "03041950.5", "19500431",
        "doi:10.1002/(SICI)1097-0258(19500403)15:4", "https://doi.org/10.1182/blood-1950-04-03-1", "e" * 30 + "19500403f", "e19500403f7e…", "60d19500403b…",
    ],
)  # fmt: skip
def test_what_is_no_date_is_not_found(text):
    assert found(text) == []


def test_versions_of_installed_programs_are_no_dates():
    for version in {sys.version.split()[0], *(one.version for one in metadata.distributions())}:
        assert found(version, Known(births=days_of_cell(version.replace(".", "/")))) == []


def test_other_dates_of_participants_are_found_too_but_not_in_plain_numbers():
    for text in ("07/08/19", "7.8.19", "8/7/19", "7 août 2019", "07AUG19", "2019 Aug 7"):
        assert len(found(text)) == 1, text
        assert "birth" not in found(text)[0]
    assert found("07082019") == []
    assert found("03041950") != []


def test_every_month_has_its_own_names():
    names = [name for month in MONTHS for name in month.split()]
    assert len(names) == len(set(names))


def test_dates_of_a_table_are_known_in_whatever_way_they_are_written():
    columns = {
        "birth_date": pd.Series(["1950-04-03", "05/06/1951", "7-Aug-52", "9. März 1953", "", "unknown"]),
        "photo_date": pd.Series(["2019-08-07 10:15:30"]),
    }
    known = known_of_columns(columns)
    births = {date(1950, 4, 3), date(1951, 6, 5), date(1951, 5, 6), date(1952, 8, 7), date(1953, 3, 9)}
    assert known.births == births
    assert known.dates == births | {PHOTO}


@pytest.mark.parametrize(
    "words", ["2019-08-07 10:15", "2019-08-07T10:15:30", "2019:08:07 10:15:30", "taken 7.8.2019, 10:15"]
)
def test_a_photos_day_is_found_before_a_time_of_day(words):
    assert found(words, Known(dates={PHOTO}))
    assert not found(words.replace("7", "6"), Known(dates={PHOTO}))


@pytest.mark.parametrize("words", ["1950-W14-1", "1950W141", "born 1950-w14-1."])
def test_a_birth_is_found_in_iso_weeks(words):
    assert found(words)
    assert not found(words.replace("W14", "W15").replace("w14", "w15"))
    assert not found("1950-W60-1, study W14-1 of 1950-W14-15")


@pytest.mark.parametrize("name", ["born_1950-04-03.svg", "tables/03.04.50/a.md", "7 août 2019.md"])
def test_the_name_of_a_file_may_hold_no_date(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<svg/>")
    kinds = {(one.kind, one.place) for one in check_folder(tmp_path, PEOPLE, 5)}
    assert kinds == {("date", "its name")}
