"""What comes at a bad moment: answers that are overtaken, a server that is away, keys that expire, going back."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from freeda_svc.api import api_beside
from freeda_svc.jobs import Scope, create_key, revoke_key
from tests.api.conftest import Service, _wait_for
from tests.free_ports import free_port
from tests.page.conftest import NEEDS_CHROMIUM, Held, press_segment, type_words, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page, Route

pytestmark = [pytest.mark.end_to_end, NEEDS_CHROMIUM]


NOUNS, PROTOTYPES = re.compile(r"/nouns\?prefix="), re.compile(r"/prototypes\?noun=")


def nouns_of(service: Service) -> list[str]:
    with service.client() as client:
        return [one["noun"] for one in client.get("/v1/banks/default/nouns", params={"limit": 1000}).json()["items"]]


def settle(page: "Page") -> None:
    """Let a page deal with what it has got."""
    page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 200))")


def test_a_list_that_was_asked_for_before_a_noun_was_forgotten_does_not_bring_it_back(
    open_page: "Callable[..., Page]", service: Service, own_noun: str
) -> None:
    page = open_page(f"/bank?noun={own_noun}")
    page.locator(".prototypes li").first.wait_for()
    page.locator(".nouns li").first.wait_for()
    held = Held()
    page.route(NOUNS, held.hold)
    page.locator("#prefix").fill(own_noun)
    held.wait(page)
    page.get_by_role("button", name="Forget this noun").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget all").click()
    page.get_by_text("Forgotten.").wait_for()
    held.release()
    settle(page)
    assert page.locator(".nouns li").count() == 0
    assert own_noun not in nouns_of(service)


def test_what_was_asked_for_before_a_change_is_asked_for_again(open_page: "Callable[..., Page]") -> None:
    page = open_page("/bank")
    noun = page.locator(".nouns li button").first
    noun.click()
    first = page.locator(".prototypes li").first
    first.wait_for()
    held = Held()
    page.route(PROTOTYPES, held.hold)
    noun.click()
    held.wait(page)
    first.get_by_role("button", name="Mark this prototype").click()
    page.get_by_text("Marked as an outlier").first.wait_for()
    held.release()
    settle(page)
    assert first.get_by_text("outlier: marked by hand").is_visible()
    first.get_by_role("button", name="again").click()
    page.get_by_text("It is used again.").wait_for()


def test_a_noun_whose_prototypes_come_late_does_not_replace_the_one_chosen_since(
    open_page: "Callable[..., Page]",
) -> None:
    page = open_page("/bank")
    buttons = page.locator(".nouns li button")
    name = buttons.nth(1).locator("bdi").text_content() or ""
    held = Held()
    page.route(PROTOTYPES, held.hold)
    buttons.nth(0).click()
    held.wait(page)
    buttons.nth(1).click()
    page.locator(".prototypes li bdi").filter(has_text=name).first.wait_for()
    held.release()
    settle(page)
    assert page.locator(".prototypes li").first.locator("bdi").first.text_content() == name


def test_a_picture_that_comes_late_does_not_replace_the_one_chosen_since(
    open_page: "Callable[..., Page]", pictures: list[Path]
) -> None:
    page = open_page()
    page.locator("input.files").set_input_files(pictures)
    type_words(page, "ball", "sky")
    press_segment(page)
    page.get_by_text("3 of 3 pictures").wait_for()
    heading = page.locator(".view h3 bdi")
    heading.filter(has_text=pictures[0].name).wait_for()
    page.locator(".strip").scroll_into_view_if_needed()  # small ones are drawn from the same files: not meanwhile
    page.wait_for_function("() => [...document.querySelectorAll('.strip canvas')].every((one) => one.width === 320)")
    masks, scores = Held(), Held()
    page.route("**/2.mask.png", masks.hold)
    page.route("**/3.scores.png", scores.hold)
    page.route("**/1.scores.png", lambda route: None)  # never comes
    page.locator(".strip button").nth(1).click()
    masks.wait(page)
    page.locator(".strip button").nth(2).click()
    heading.filter(has_text=pictures[2].name).wait_for()
    masks.release()
    settle(page)
    assert heading.text_content() == pictures[2].name

    page.locator(".stage").focus()
    page.keyboard.press("ArrowRight")  # asks for its scores
    scores.wait(page)
    page.locator(".strip button").nth(0).click()
    heading.filter(has_text=pictures[0].name).wait_for()
    page.locator(".stage").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".readout .what").wait_for()
    scores.release()
    settle(page)
    assert page.locator(".readout").get_by_text("score").count() == 0


def test_a_picture_that_could_not_be_loaded_is_loaded_when_it_is_chosen_again(
    open_page: "Callable[..., Page]", pictures: list[Path]
) -> None:
    page = open_page(expected=("500",))
    page.route("**/*.mask.png", lambda route: route.fulfill(status=500, json={"detail": "the disk is gone"}))
    page.locator("input.files").set_input_files(pictures[0])
    type_words(page, "ball")
    press_segment(page)
    page.get_by_role("alert").get_by_text("the disk is gone").wait_for()
    assert page.locator(".stage").count() == 0
    page.unroute("**/*.mask.png")
    page.locator(".strip button").click()
    page.locator(".view h3 bdi").filter(has_text=pictures[0].name).wait_for()


def test_results_come_although_the_server_was_away_for_a_moment(
    open_page: "Callable[..., Page]", pictures: list[Path]
) -> None:
    page = open_page(expected=("ERR_CONNECTION_REFUSED",))
    page.locator("#worker.good").wait_for()
    page.locator("input.files").set_input_files(pictures)
    type_words(page, "ball", "sky")
    refused: list[str] = []

    def refuse_first(route: "Route") -> None:
        if refused.count(route.request.url) < 2:
            refused.append(route.request.url)
            route.abort("connectionrefused")
        else:
            route.continue_()

    page.route("**/v1/jobs/**", refuse_first)
    press_segment(page)
    page.get_by_text("3 of 3 pictures").wait_for()
    page.locator(".stage canvas").first.wait_for()
    assert refused
    assert page.get_by_role("alert").locator("p").count() == 0


@pytest.fixture
def locked(service: Service) -> Iterator[tuple[str, str]]:
    """An API of the same installation that needs keys: its address, and a key that may submit."""
    settings = service.settings.model_copy(update={"api_port": free_port(), "api_keys": "always"})
    _, secret = create_key(settings, f"annotator-{settings.api_port}", Scope.SUBMIT)
    with api_beside(settings) as is_run:
        assert is_run
        address = f"http://127.0.0.1:{settings.api_port}"
        _wait_for(f"{address}/health/live")
        yield address, secret


def enter_key(page: "Page", secret: str) -> None:
    dialog = page.get_by_role("dialog", name="Key of this server")
    dialog.get_by_label("Key", exact=True).fill(secret)
    page.keyboard.press("Enter")
    dialog.wait_for(state="hidden")


def test_a_key_that_expires_loses_nothing_of_what_was_chosen(
    open_page: "Callable[..., Page]", service: Service, locked: tuple[str, str], pictures: list[Path]
) -> None:
    address, secret = locked
    page = open_page(address=address, expected=("401",))
    enter_key(page, secret)
    page.locator("input.files").set_input_files(pictures[:2])
    type_words(page, "ball", "sky")
    page.get_by_text("2 pictures,").wait_for()
    revoke_key(service.settings, f"annotator-{address.rpartition(':')[2]}")
    dialog = page.get_by_role("dialog", name="Key of this server")
    # not by the mouse: what the page still asks about the words may have opened the dialog already
    page.locator("#ask").evaluate("form => form.requestSubmit()")
    dialog.get_by_text("key").first.wait_for()
    dialog.get_by_role("button", name="Cancel").click()  # to look for the new key first
    page.get_by_role("alert").locator("p").filter(has_text="key").wait_for()
    _, new = create_key(service.settings, f"new-{address.rpartition(':')[2]}", Scope.SUBMIT)
    press_segment(page)
    enter_key(page, new)
    page.get_by_text("2 of 2 pictures").wait_for()
    page.locator(".stage canvas").first.wait_for()


def test_going_back_shows_what_was_looked_at_before(open_page: "Callable[..., Page]", pictures: list[Path]) -> None:
    page = open_page()
    page.locator("input.files").set_input_files(pictures[0])
    type_words(page, "ball")
    press_segment(page)
    page.get_by_text("1 of 1 picture").wait_for()
    page.locator("input.files").set_input_files(pictures[1])
    press_segment(page)
    page.get_by_text("2 of 2 pictures").wait_for()
    page.go_back()
    page.get_by_text("1 of 1 picture").wait_for()
    page.locator(".view h3").filter(has_text=pictures[0].name).wait_for()
    page.go_forward()
    page.get_by_text("2 of 2 pictures").wait_for()

    page.goto("/bank")
    buttons = page.locator(".nouns button")
    names = [buttons.nth(number).locator("bdi").text_content() or "" for number in (0, 1)]
    for number in (0, 1):
        buttons.nth(number).click()
        page.get_by_role("heading", name=names[number], exact=True).wait_for()
    page.go_back()
    page.get_by_role("heading", name=names[0], exact=True).wait_for()
    page.locator(f'.nouns button[aria-pressed="true"]:has-text("{names[0]}")').wait_for()


def test_a_painting_is_not_left_without_being_asked(open_page: "Callable[..., Page]", pictures: list[Path]) -> None:
    page = open_page("/teach")
    asked: list[str] = []

    def stay(dialog: "Dialog") -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.locator("#painted input.files").set_input_files(pictures[0])
    page.locator("#painter .stage").focus()
    page.keyboard.press("Space")
    page.locator("nav a").first.click()
    wait_until(page, lambda: bool(asked))
    assert asked == ["beforeunload"]
    assert page.url.endswith("/teach")
    page.get_by_role("button", name="Undo").click()
    page.locator("nav a").first.click()
    page.get_by_role("heading", name="Segment").wait_for()
    assert asked == ["beforeunload"]
