"""What goes with a message: what is known of models, the line that stands for the rest, and how it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import UsageError
from llmterm.messages import Attachment, Message, Request, Role
from llmterm.providers import anthropic, cohere, gemini, ollama, openai, responses
from llmterm.providers.attachments import MB, PDF, Accepts, noted, refused
from llmterm.providers.capabilities import accepted
from llmterm.providers.wire import Wire

CAT = Attachment(name="cat.png", media_type="image/png", data=b"12345")
PAPER = Attachment(name="paper.pdf", media_type=PDF, data=b"123")
IMAGES = Accepts(types=frozenset({"image/png", "image/jpeg"}), settable=frozenset({"image", "pdf"}))
BOTH = Accepts(types=frozenset({"image/png", PDF}))
WIRES = {
    "anthropic": anthropic.wire(),
    "cohere": cohere.wire(),
    "gemini": gemini.wire(),
    "ollama": ollama.wire(),
}
TEXT = st.text(st.characters(exclude_categories=()), max_size=20)  # surrogates too
ATTACHMENT = st.builds(
    Attachment,
    name=TEXT,
    media_type=st.sampled_from(["image/png", "image/gif", "image/x\x1b[2J", PDF, "text/html", ""]),
    data=st.binary(max_size=8),
)
MESSAGE = st.builds(
    Message,
    role=st.sampled_from(["user", "user", "assistant", "system"]),
    text=TEXT,
    attachments=st.lists(ATTACHMENT, max_size=3).map(tuple),
)
REQUEST = st.builds(Request, model=st.just("m"), messages=st.lists(MESSAGE, max_size=4).map(tuple))
LIMIT = st.none() | st.integers(0, 20)
ACCEPTS = st.builds(
    Accepts,
    types=st.frozensets(st.sampled_from(["image/png", "image/gif", PDF])),
    max_image=LIMIT,
    max_pdf=LIMIT,
    max_total=LIMIT,
    settable=st.frozensets(st.sampled_from(["image", "pdf"])),
)


def asked(*attachments: Attachment, text: str = "q", role: Role = "user") -> Message:
    return Message(role=role, text=text, attachments=attachments)


def request(*messages: Message) -> Request:
    return Request(model="m", messages=messages)


def kinds(provider: str, model: str, wire: Wire | None = None) -> set[str]:
    return set(accepted(provider, wire or WIRES.get(provider) or openai.wire(), model).kinds)


# The line in place of an attachment


def test_request_without_attachments_is_left_alone() -> None:
    """The very same value: most conversations have none."""
    plain = request(asked())

    assert noted(plain, Accepts()) is plain


def test_line_stands_for_what_is_not_taken() -> None:
    """The model knows at least what there was; the rest goes as it is."""
    (message,) = noted(request(asked(CAT, PAPER)), IMAGES).messages

    assert message == asked(CAT, text="q\n\n[PDF: paper.pdf]")


def test_line_is_the_text_of_a_message_without_any() -> None:
    """A message with nothing in it is refused by many."""
    (message,) = noted(request(asked(CAT, text=" \n")), Accepts()).messages

    assert message == asked(text="[image: cat.png]")


def test_only_a_user_attaches() -> None:
    """Words that the model has not said would not be the beginning of its answer."""
    messages = noted(request(asked(CAT), asked(CAT, role="assistant", text="once upon")), BOTH).messages

    assert messages == (asked(CAT), asked(role="assistant", text="once upon"))


def test_newest_attachments_have_the_first_claim_to_the_room() -> None:
    """A long conversation with many images goes on, without the oldest of them."""
    room = Accepts(types=BOTH.types, max_total=9)

    messages = noted(request(asked(CAT, text="a"), asked(PAPER, text="b"), asked(CAT, text="c")), room).messages

    assert [len(each.attachments) for each in messages] == [0, 1, 1]
    assert messages[0].text == "a\n\n[image: cat.png]"


@given(asked=REQUEST, accepts=ACCEPTS)
def test_what_is_sent_is_what_is_taken(asked: Request, accepts: Accepts) -> None:
    """Whatever was attached: all that goes is taken, what does not go has one line, and saying so again adds none."""
    told = noted(asked, accepts)

    gone = [each for message in told.messages for each in message.attachments]
    assert all(accepts.takes(each) for each in gone)
    assert accepts.max_total is None or sum(len(each.data) for each in gone) <= accepts.max_total
    assert noted(told, accepts) == told
    for before, after in zip(asked.messages, told.messages, strict=True):
        left = len(before.attachments) - len(after.attachments)
        lines = after.text.removeprefix(before.text).strip().splitlines()
        assert len(lines) == (left if before.role == "user" else 0) or (not left and before == after)
        assert after.role == before.role


# Refusals


def test_what_is_taken_is_not_refused() -> None:
    """Nor is nothing at all."""
    assert refused((CAT, PAPER), BOTH, "p/m") is None
    assert refused((), Accepts(), "p/m") is None


@pytest.mark.parametrize(
    ("attachments", "accepts", "words"),
    [
        ([CAT], Accepts(), "p/m takes no images: cat.png (choose another provider)"),
        (
            [CAT, PAPER],
            IMAGES,
            "p/m takes no PDFs: paper.pdf (choose another model; if this one does take them, "
            'set attachments = ["image", "pdf"] in [providers.p])',
        ),
        (
            [Attachment(name="a.gif", media_type="image/gif", data=b"x")],
            IMAGES,
            "p/m takes no images of the type GIF: a.gif (convert it to one of JPEG, PNG)",
        ),
        (
            [Attachment(name="a.zip", media_type="application/zip", data=b"x")],
            BOTH,
            "a.zip is neither an image nor a PDF (a text file can be part of the message itself)",
        ),
        (
            [Attachment(name="a\n\x1b[2Jb.png", media_type="image/png", data=b"")],
            BOTH,
            "a [2Jb.png is empty (choose another file)",
        ),
        (
            [Attachment(name="cat.png", media_type="image/png", data=bytes(MB + 1))],
            Accepts(types=BOTH.types, max_image=MB),
            "cat.png has 1.1 MB: p/m takes images of up to 1 MB (make it smaller)",
        ),
        (
            [Attachment(name="p.pdf", media_type=PDF, data=bytes(2 * MB))],
            Accepts(types=BOTH.types, max_pdf=MB * 3 // 2),
            "p.pdf has 2 MB: p/m takes PDFs of up to 1.5 MB (send a part of it)",
        ),
        (
            [Attachment(name="p.pdf", media_type=PDF, data=bytes(MB))] * 2,
            Accepts(types=BOTH.types, max_total=MB),
            "the attachments have 2 MB together: p/m takes up to 1 MB (send them with several questions)",
        ),
    ],
)
def test_refusal_names_the_file_the_reason_and_what_to_do(
    attachments: list[Attachment], accepts: Accepts, words: str
) -> None:
    """In one line, whatever the file's name."""
    error = refused(attachments, accepts, "p/m")

    assert isinstance(error, UsageError)
    assert str(error) == words


@given(attachments=st.lists(ATTACHMENT, max_size=3), accepts=ACCEPTS)
def test_what_is_not_refused_goes_as_it_is(attachments: list[Attachment], accepts: Accepts) -> None:
    """What a user is told before is what happens then, and one line can be shown."""
    error = refused(attachments, accepts, "p/m")

    whole = request(asked(*attachments))
    assert (error is None) == (noted(whole, accepts) == whole)
    assert error is None or str(error).isprintable()


# What is known


@pytest.mark.parametrize(
    ("provider", "model", "known"),
    [
        ("openai", "gpt-6.1-terra", {"image", "pdf"}),
        ("openai", "gpt-4o-mini", {"image", "pdf"}),
        ("openai", "ft:gpt-4.1-2025-04-14:us::1", {"image", "pdf"}),
        ("openai", "o4-mini", {"image", "pdf"}),
        ("openai", "gpt-4-turbo", {"image"}),
        ("openai", "gpt-4-turbo-preview", set()),
        ("openai", "gpt-4", set()),
        ("openai", "gpt-4-0613", set()),
        ("openai", "gpt-3.5-turbo", set()),
        ("openai", "o3-mini", set()),
        ("openai", "gpt-4o-audio-preview", set()),
        ("openai", "gpt-oss-120b", set()),
        ("anthropic", "claude-sonnet-5", {"image", "pdf"}),
        ("anthropic", "claude-3-5-haiku-latest", {"image", "pdf"}),
        ("anthropic", "claude-3-haiku-20240307", {"image"}),
        ("anthropic", "claude-2.1", set()),
        ("anthropic", "glm-5", set()),
        ("gemini", "gemini-3.6-flash", {"image", "pdf"}),
        ("gemini", "models/gemini-2.5-pro", {"image", "pdf"}),
        ("gemini", "gemini-2.5-flash-preview-tts", set()),
        ("gemini", "gemma-3-27b-it", {"image"}),
        ("cohere", "command-a-vision-07-2025", {"image"}),
        ("cohere", "command-a-03-2025", set()),
        ("ollama", "gemma3:12b", {"image"}),
        ("ollama", "gemma3:1b", set()),
        ("ollama", "gemma3n:e4b", set()),
        ("ollama", "gemma:7b", set()),
        ("ollama", "llama3.2-vision", {"image"}),
        ("ollama", "llama3.2", set()),
        ("ollama", "qwen3-vl:8b", {"image"}),
        ("ollama", "qwen3.6:27b", {"image"}),
        ("ollama", "qwen3:8b", set()),
        ("ollama", "mistral-small3.2", {"image"}),
        ("ollama", "ministral-3:8b", {"image"}),
        ("ollama", "deepseek-r1", set()),
        ("xai", "grok-4.3", {"image"}),
        ("xai", "grok-code-fast-1", set()),
        ("deepseek", "deepseek-flash", {"image"}),
        ("deepseek", "deepseek-v4-pro", set()),
        ("mistral", "mistral-medium-latest", {"image"}),
        ("mistral", "ministral-8b-2512", {"image"}),
        ("mistral", "ministral-8b-2410", set()),
        ("mistral", "codestral-latest", set()),
        ("groq", "meta-llama/llama-4-scout-17b-16e-instruct", {"image"}),
        ("groq", "openai/gpt-oss-120b", set()),
        ("openrouter", "anthropic/claude-sonnet-5", {"image", "pdf"}),
        ("openrouter", "deepseek/deepseek-r1", {"pdf"}),
        ("together", "Qwen/Qwen3-VL-32B-Instruct", {"image"}),
        ("fireworks", "accounts/fireworks/models/gpt-oss-120b", set()),
        ("vllm", "google/gemma-3-27b-it", {"image"}),
        ("vllm", "google/codegemma-7b", set()),
        ("llamacpp", "/models/SmolVLM-500M.gguf", {"image"}),
        ("lmstudio", "pixtral-12b", {"image"}),
        ("airefinery", "openai/gpt-oss-120b", set()),
        ("mine", "unheard-of", set()),
    ],
)
def test_what_models_take_is_known_by_their_names(provider: str, model: str, known: set[str]) -> None:
    """Of each provider, those with eyes and those without."""
    assert kinds(provider, model) == known


@pytest.mark.parametrize(
    ("model", "known", "assumed"),
    [
        ("gpt-4o", {"image"}, set()),
        ("llava", {"image"}, set()),
        ("unheard-of", {"image"}, {"image"}),
        ("default", {"image"}, {"image"}),
        ("llama-4-scout", {"image"}, set()),
        ("llama3.2-vision", {"image"}, set()),
        ("meta-llama/Llama-3.1-8B-Instruct", set(), set()),
        ("Qwen/Qwen3-8B", set(), set()),
        ("gpt-3.5-turbo", set(), set()),
        ("gpt-4", set(), set()),
        ("openai/gpt-oss-120b", set(), set()),
        ("deepseek-r1", set(), set()),
        ("nomic-embed-text", set(), set()),
        ("google/gemma-3-1b-it", set(), set()),
    ],
)
def test_server_of_one_s_own_is_asked_about_a_model_that_nobody_knows(
    model: str, known: set[str], assumed: set[str]
) -> None:
    """Not about one that is known to have no eyes, nor about PDFs, nor where the settings say what it takes."""
    found = accepted("mine", openai.wire(), model, own=True)

    assert set(found.kinds) - {"pdf"} == known
    assert set(found.assumed) == assumed
    assert accepted("mine", openai.wire(), model, [], own=True).kinds == frozenset()


def test_wire_takes_no_more_than_it_has_words_for() -> None:
    """Neither the name of a model nor the settings give it any."""
    model = "command-a-vision-07-2025"
    old = accepted("cohere", cohere.wire(version="v1"), model, ["image", "pdf"])
    new = accepted("cohere", cohere.wire(), model, ["image", "pdf"])

    assert old.kinds == old.settable == frozenset()
    assert new.kinds == new.settable == frozenset({"image"})


def test_both_wires_of_openai_know_the_same() -> None:
    """The models are the same."""
    assert kinds("openai", "gpt-5", responses.wire()) == kinds("openai", "gpt-5")


def test_provider_of_one_s_own_is_known_by_its_wire() -> None:
    """Whoever speaks like Anthropic has its limits; whoever speaks like OpenAI need not."""
    named, own = (accepted(name, WIRES["anthropic"], "claude-sonnet-5") for name in ("anthropic", "mine"))

    assert own == named
    assert own.max_image == 10 * MB * 3 // 4
    assert accepted("mine", openai.wire(), "gpt-5").max_total is None
    assert accepted("openai", openai.wire(), "gpt-5").max_total == 50 * MB


@given(provider=TEXT, model=TEXT, configured=st.none() | st.lists(TEXT | st.sampled_from(["image", "pdf"]), max_size=3))
def test_no_name_breaks_what_is_known(provider: str, model: str, configured: list[str] | None) -> None:
    """Models are called what their servers like."""
    found = accepted(provider, openai.wire(), model, configured)

    assert configured is None or found.kinds == {"image", "pdf"}.intersection(configured)
