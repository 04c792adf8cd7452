#!/usr/bin/env python3
"""Looks at /status in a real browser: check.py BINARY [FOLDER]

A gateway is started that has refused all kinds of requests. Its page is opened in headless Chromium
at two widths, in light and dark; what it shows is asked of the DOM. Screenshots go to FOLDER.
"""

import json
import pathlib
import struct
import sys

sys.dont_write_bytecode = True

from browser import Browser
from world import INJECTION, World

WIDTHS = {1280: 900, 400: 860}

# Of every visible text its contrast with what is behind it (WCAG 2.2, 1.4.3), the lowest first.
CONTRASTS = """(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim()) continue;
    const [one, other] = [parse(getComputedStyle(element).color), behind(element)].map(light);
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    found.push([contrast, texts.currentNode.data.trim().slice(0, 40)]);
  }
  return found.sort((one, other) => one[0] - other[0]).slice(0, 3);
})()"""

# What reaches beyond the window.
WIDE = """[...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
  .map(e => e.outerHTML.slice(0, 120))"""

UNLABELLED = """[...document.querySelectorAll('input')]
  .filter(e => !e.labels.length).map(e => e.outerHTML)"""

HEADINGS = "[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))"


def expect(is_so, what):
    if not is_so:
        raise AssertionError(what)


def check_page(browser, width):
    """What holds for the page whatever it shows."""
    text = browser.evaluate("document.body.innerText")
    for secret in ("canary", "Bearer "):
        expect(secret not in text, f"{secret!r} is on the page")
    expect(browser.evaluate("innerWidth") == width, "the window has another width")
    overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
    wide = browser.evaluate(WIDE)
    expect(overflow <= 0 and not wide, f"{overflow} pixels too wide at {width}: {wide}")
    lowest = browser.evaluate(CONTRASTS)
    expect(lowest[0][0] >= 4.5, f"too little contrast: {lowest}")
    foreign = browser.evaluate("document.querySelectorAll('script, img, iframe, object, link').length")
    expect(foreign == 0, "markup came onto the page")
    expect(browser.complaints() == [], browser.complaints())
    expect(browser.evaluate(UNLABELLED) == [], "a field has no label")
    levels = browser.evaluate(HEADINGS)
    steps = zip(levels, levels[1:])
    expect(levels[0] == 1 and levels.count(1) == 1, f"headings {levels}")
    expect(all(after <= before + 1 for before, after in steps), f"headings {levels}")


def keep(folder, name, png, width):
    """Keeps a screenshot that shows something."""
    expect(png[:8] == b"\x89PNG\r\n\x1a\n" and len(png) > 20_000, f"{name}: {len(png)} bytes")
    expect(struct.unpack(">I", png[16:20])[0] == width, f"{name} has another width")
    if folder:
        pathlib.Path(folder, f"{name}.png").write_bytes(png)


def look_up(browser, request_id):
    """Types an id into the form and sends it, as a person does."""
    browser.evaluate("document.querySelector('#request_id').focus()")
    browser.evaluate("document.querySelector('#request_id').select()")
    browser.call("Input.insertText", text=request_id)
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
    browser.loaded(lambda: browser.call("Input.dispatchKeyEvent", type="keyDown", **enter))


def found(browser):
    return browser.evaluate("document.querySelector('#found')?.innerText ?? ''")


def check_look(world, browser, ids, folder):
    grounds = set()
    url = f"http://127.0.0.1:{world.admin}/status"
    for width, height in WIDTHS.items():
        for scheme in ("light", "dark"):
            browser.show(width, height, scheme)
            browser.open(url)
            expect(browser.evaluate("document.title") == "Gatehouse: ready", "not ready")
            check_page(browser, width)
            grounds.add(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
            look_up(browser, ids["scope"])
            check_page(browser, width)
            answer = found(browser)
            for words in ("insufficient_scope", "403", "Remedy", "scopes of the challenge", "notes.write",
                          "routes.notes.tools.delete_note", "tools/call delete_note", "alice"):
                expect(words in answer, f"{words!r} is not in {answer!r}")
            keep(folder, f"status-{width}-{scheme}", browser.screenshot(), width)
    expect(len(grounds) == 2, f"light and dark look alike: {grounds}")


def check_texts(world, browser, ids, folder):
    """What others wrote stays text; who is unknown is said to be."""
    browser.show(400, 860, "light")
    browser.open(f"http://127.0.0.1:{world.admin}/status?request_id={ids['injection']}")
    check_page(browser, 400)
    expect(found(browser).count(INJECTION) >= 3, found(browser))
    listed = browser.evaluate("document.querySelectorAll('.refusals li').length")
    expect(listed == 10, f"{listed} refusals are listed")
    look_up(browser, INJECTION)
    check_page(browser, 400)
    expect(f"There is no {INJECTION} among" in found(browser), found(browser))
    keep(folder, "status-unknown", browser.screenshot(), 400)


def check_failure(world, browser, folder):
    """A file that is wrong is told, with what is wrong in it."""
    world.file.write_text(world.text.replace("/calendar", "calendar"))
    status = lambda: json.loads(world.operate("/status.json")[1])
    world.until(lambda: status()["configuration"]["last_reload"] is not None, "it is read again")
    expect(status()["configuration"]["last_reload"]["outcome"] == "rejected", status())
    for width, scheme in ((1280, "dark"), (400, "light")):
        browser.show(width, WIDTHS[width], scheme)
        browser.open(f"http://127.0.0.1:{world.admin}/status")
        check_page(browser, width)
        alert = browser.evaluate("document.querySelector('.alert').innerText")
        expect("not in force" in alert and "routes.calendar.path" in alert, alert)
        keep(folder, f"status-rejected-{width}-{scheme}", browser.screenshot(whole=False), width)


def main(binary, folder=None):
    if folder:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    with World(binary) as world, Browser() as browser:
        ids = world.provoke()
        check_look(world, browser, ids, folder)
        check_texts(world, browser, ids, folder)
        check_failure(world, browser, folder)
    print("the status page shows what it should, at 400 and 1280 pixels, in light and dark")


if __name__ == "__main__":
    main(*sys.argv[1:])
