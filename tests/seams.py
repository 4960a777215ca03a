"""A corpus of seams: what an answer ended in, what a model sent to go on with it, and how the two should read.

`joined` is None where the model has started over. Cases without a mode are continuations on instruction. `kind` is
what the seam should say that it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmterm.messages import Mode


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    before: str
    sent: str
    joined: str | None
    kind: str
    mode: Mode = "instruct"


def _cut(name: str, before: str, dropped: str, rest: str, kind: str = "overlap") -> Case:
    """A continuation of which the beginning is dropped."""
    return Case(name, before, dropped + rest, before + rest, kind)


def _kept(name: str, before: str, sent: str) -> Case:
    """A continuation that is taken as it is."""
    return Case(name, before, sent, before + sent, "")


def _spaced(name: str, before: str, added: str, sent: str, kind: str = "space") -> Case:
    """A continuation that lacks white space."""
    return Case(name, before, sent, before + added + sent, kind)


FOX = "The quick brown fox jumps over the lazy dog, and the cat watches from the window"
KING = "Once upon a time there was a king who had three sons. The eldest was brave, the second was clever, and the"
PYTHON = (
    'Here it is:\n\n```python\ndef area(width, height):\n    """Return the area."""\n    if width < 0:\n        raise'
)
SCRIPT = (
    "Try this:\n\n```js\nfunction total(items) {\n  let sum = 0;\n  for (const item of items) {\n    sum += item.price"
)
GO = 'In Go:\n\n```go\nfunc main() {\n\tnames := []string{"a", "b"}\n\tfor _, name := range names {\n\t\tfmt.Println('
SHELL = "Run:\n\n```sh\nset -e\nmkdir -p build && cd build\ncmake .. -DCMAKE_BUILD_TYPE=Release"
HTML = '```html\n<ul class="menu">\n  <li><a href="/">Home</a></li>\n  <li><a href="/about">About'
TABLE = "| Name | Age |\n|------|-----|\n| Alice Cooper | 34 |\n| Robert Plant | 51 |"
STEPS = "To make tea:\n\n1. Boil fresh water.\n2. Warm the pot.\n3. Add the leaves"
FRUIT = "Fruit to buy:\n\n- ripe bananas\n- green apples\n- sweet cherries"
CHINESE = "从前有一座山，山上有一座庙，庙里有一个老和尚在给小和尚讲故事，他说的是"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗い"
KOREAN = "옛날 옛적에 깊은 산속에 호랑이 한 마리가 살고 있었습니다. 어느 날 호랑이는 배가 고파서 마을로"
THAI = "กาลครั้งหนึ่งนานมาแล้ว มีพระราชาองค์หนึ่งปกครองเมืองใหญ่"
ARABIC = "كان يا ما كان في قديم الزمان ملك عادل يحكم بلادا واسعة وكان له ثلاثة أبناء"
HEBREW = "היה היה פעם מלך אחד שגר בארמון גדול על ראש ההר ולו שלוש בנות"
FAMILY = "👨\u200d👩\u200d👧\u200d👦"
EMOJI = f"We all went to the sea {FAMILY} and ate ice cream 🍦🍦 in the sun ☀️ with our dog 🐕\u200d🦺"
ACCENTS = "Le cafe\u0301 e\u0301tait ferme\u0301, alors nous sommes alle\u0301s au the\u0301a\u0302tre"

# An answer cut in the middle, and how it goes on.
BROKEN = {
    "prose": (FOX, " with great interest."),
    "tale": (KING, " youngest was kind."),
    "python": (PYTHON, ' ValueError("negative")\n    return width * height\n```\n'),
    "javascript": (SCRIPT, " * item.count;\n  }\n  return sum;\n}\n```\n"),
    "go": (GO, "name)\n\t}\n}\n```\n"),
    "shell": (SHELL, "\nmake -j4\n```\n"),
    "html": (HTML, "</a></li>\n</ul>\n```\n"),
    "table": (TABLE[:-6], "51 |\n| Jimmy Page | 80 |\n"),
    "steps": (STEPS, ", one spoon a cup.\n4. Wait.\n"),
    "bullets": (FRUIT, " (a pound)\n- lemons\n"),
    "chinese": (CHINESE, "：从前有一座山。"),
    "japanese": (JAPANESE, "じめじめした所でニャーニャー泣いていた。"),
    "korean": (KOREAN, " 내려갔습니다."),
    "thai": (THAI, "ด้วยความเป็นธรรม"),
    "arabic": (ARABIC, " شجعان."),
    "hebrew": (HEBREW, " יפות."),
    "emoji": (EMOJI, " until it was dark 🌙"),
    "accents": (ACCENTS, ", puis a\u0300 la maison."),
    "heading": ("# Tea\n\n## Where it comes from\n\nTea was first grown in the hills of", " Yunnan.\n"),
    "quotation": ('She looked up and said, "I never thought that we would', ' meet again."'),
    "formula": ("The roots are $x = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2", "a}$, of course."),
    "nested": ("1. Fruit\n   - red apples\n   - yellow pears\n2. Vegetables\n   - orange carr", "ots\n   - leeks\n"),
    "quote block": ("As he wrote:\n\n> All that is gold does not glitter,\n> Not all those who", " wander are lost;\n"),
    "json": ('```json\n{\n  "name": "llama",\n  "legs": 4,\n  "colour": "bro', 'wn"\n}\n```\n'),
    "yaml": ("```yaml\nservices:\n  web:\n    image: nginx:1.27\n    ports:\n      - 80", ":80\n```\n"),
    "sql": ("```sql\nSELECT name, count(*)\nFROM people\nWHERE born > 1990\nGROUP", " BY name;\n```\n"),
    "rust": ("```rust\nfn main() {\n    let total: u32 = (1..=10).filter(|n| n % 2", " == 0).sum();\n}\n```\n"),
}


def _generated() -> Iterator[Case]:
    for name, (before, rest) in BROKEN.items():
        yield _kept(f"{name}, exact", before, rest)
        yield Case(f"{name}, literal", before, rest, before + rest, "", "prefill")
        for size in (8, 13, 40):
            size += name == "accents" and size == 40
            yield _cut(f"{name}, last {size} characters again", before, before[-size:], rest)
    for name in ("prose", "table", "chinese", "arabic", "steps"):
        before, rest = BROKEN[name]
        yield _cut(f"{name}, all of it again", before, before, rest)
        yield _cut(f"{name}, overlap behind blank lines", before, "\n\n" + before[-20:].lstrip(), rest)
        yield _cut(
            f"{name}, overlap behind a greeting", before, "Sure!\n\n" + before[-20:].lstrip(), rest, "preamble+overlap"
        )
    for number, (language, preamble) in enumerate(PREAMBLES):
        yield _cut(
            f"{language} preamble {number} before an overlap", FOX, preamble + FOX[-15:], " again.", "preamble+overlap"
        )


PREAMBLES = [
    ("English", "Sure, continuing:\n\n"),
    ("English", "Certainly! Here is the rest:\n\n"),
    ("English", "Continuing from where I left off:\n\n"),
    ("English", "Sure! Continuing from where we left off...\n\n"),
    ("English", "**Continuing from where I stopped:**\n\n"),
    ("English", "I apologize for the interruption. Let me continue from where I left off:\n"),
    ("English", "Of course! Here’s the continuation of the story:\n\n"),
    ("English", "Okay, picking up right where I left off…\n"),
    ("English", "Here is the rest of my previous response:\n"),
    ("German", "Klar, hier geht es weiter:\n\n"),
    ("German", "Natürlich! Hier ist die Fortsetzung:\n\n"),
    ("German", "Ich fahre genau dort fort, wo ich aufgehört habe:\n"),
    ("French", "Bien sûr, voici la suite :\n\n"),
    ("French", "D’accord, je continue :\n"),
    ("French", "Je reprends là où je m'étais arrêté :\n\n"),
    ("Spanish", "¡Claro! Continúo desde donde lo dejé:\n\n".removeprefix("¡")),
    ("Spanish", "Por supuesto, aquí tienes la continuación:\n\n"),
    ("Portuguese", "Claro, continuando de onde parei:\n\n"),
    ("Portuguese", "Com certeza! Aqui está o restante:\n"),
    ("Italian", "Certo, ecco il seguito:\n\n"),
    ("Italian", "Continuo da dove mi ero interrotto:\n\n"),
    ("Dutch", "Natuurlijk, hier is het vervolg:\n\n"),
    ("Dutch", "Ik ga verder waar ik was gebleven:\n"),
    ("Russian", "Конечно, продолжаю:\n\n"),
    ("Russian", "Продолжаю с того места, где остановился:\n"),
    ("Polish", "Oczywiście, kontynuuję:\n\n"),
    ("Korean", "네, 계속하겠습니다:\n\n"),
    ("Chinese", "好的，继续：\n\n"),
    ("Chinese", "当然，以下是剩余部分：\n"),
    ("Chinese", "好的，接着上文继续写：\n"),
    ("Japanese", "はい、続きです：\n\n"),
    ("Japanese", "承知しました。続きを書きます。\n\n"),
]

HALF = "The quick brown fox jumped over the lazy"
ENDED = "The fox slept well that night.\n\n"

PREAMBLE_CASES = [
    *(
        Case(
            f"{language} preamble {number} within a sentence", HALF, preamble + "dog.", HALF + " dog.", "preamble+space"
        )
        for number, (language, preamble) in enumerate(PREAMBLES)
    ),
    _cut("preamble between paragraphs", ENDED, "Sure, continuing:\n\n", "The next day it rained.", "preamble"),
    Case(
        "preamble on one line", HALF + ",", "Certainly! Here is the rest: old dog", HALF + ", old dog", "preamble+space"
    ),
    _cut("preamble before an item", FRUIT + "\n", "Sure, here is the rest of the list:\n\n", "- lemons\n", "preamble"),
    _cut(
        "two preambles",
        ENDED,
        "Sure! I will continue.\nContinuing from where I left off:\n\n",
        "It rained.",
        "preamble",
    ),
    _cut("preamble in Chinese", CHINESE, "好的，继续：\n", "一个道理。", "preamble"),
    _cut("ellipsis before an overlap", FOX, "..." + FOX[-14:], " all day.", "preamble+overlap"),
    _cut("one ellipsis sign before an overlap", FOX, "… " + FOX[-10:], " all day.", "preamble+overlap"),
    _cut("last words quoted", FOX, f"«{FOX[-30:].lstrip()}»", " all day.", "preamble+overlap"),
    _cut("greeting before an overlap, same line", FOX, "Sure! " + FOX[-14:].lstrip(), " all day.", "preamble+overlap"),
    # They look like preambles, and are text.
    _kept("dialogue", 'He nodded. "', 'Sure: I was there." Then he left.'),
    _kept("dialogue that goes on", 'He nodded and said, "', 'Sure, continuing: the war was over." Then he left.'),
    _kept("speaker named", "Tom: ", "Sure, here is the rest: take it.\nAnn: Thanks."),
    _kept("speaker in bold", "**Tom:** ", "Certainly! Here is the rest:\ntake it.\n**Ann:** Thanks."),
    _kept("guillemets open", "Il répondit : «", "Bien sûr, voici la suite :\n» et il rit."),
    _kept("dialogue by a dash", "— Wirst du gehen?\n\n— ", "Klar, es geht weiter:\nimmer weiter."),
    _kept("Japanese quotation open", "彼は言った。「", "はい、続きです：\nこれが最後」"),
    _kept("a greeting alone", ENDED, "Sure!\nThat was all."),
    _kept("a greeting as text", "Would I do it again? ", "Certainly! It was the best year of my life."),
    _kept("the rest announced in the text", "I split it in two. ", "Here is the rest of the list:\n\n- a\n- b"),
    _kept("a heading before", "## The second part\n\n", "Here is the rest of the story:\nit ended."),
    _kept("continuing along", ENDED, "Continuing along the river, they found:\n- a boat"),
    _kept("sure enough", "They waited. ", "Sure enough, the fox came back:\nit was hungry."),
    _kept("of course not", "Was it easy? ", "Of course not: it took a year."),
    _kept("okay as an adverb", "The plan went ", "okay, continuing well into May.\n"),
    _kept("clear in German", "Das Wasser war ", "klar, weiter unten trüb:\nSchlamm."),
    _kept("an ellipsis in the text", "He thought about it", "... and went away."),
    _kept("a quotation begins", "On the wall it said ", "«No entry» in red."),
    _kept("preamble in open code", "```text\nUser: go on\n", "Sure, continuing:\nfoo\n```"),
    _kept("colon without a space", "The ratio was ", "sure:unsure, 3:1."),
    _kept("Chinese text with the same words", "他对我说了很多话。", "好的东西继续留在这里：书和画。"),
    _kept("a preamble that goes nowhere", ENDED, "Sure, continuing to"),
]

OVERLAPS = [
    _cut("one word cut in two said again", "The quick bro", "bro", "wn fox", "word"),
    _cut("a long word cut in two", "It is an extraordin", "extraordin", "arily fine day"),
    _cut("an identifier cut in two", "```python\nx = calc", "calc", "ulate(3)\n", "word"),
    _cut("a Cyrillic word cut in two", "Он сказал, что челов", "челов", "ек прав", "word"),
    _cut("a short whole line", "Shopping:\n- figs", "- figs", " and dates\n"),
    _cut("a short line of code", "```\na = 1\nb = 2", "b = 2", "0\n"),
    Case(
        "sentence said again, without the blank line",
        "So it was over.\n\n",
        "it was over. Then",
        "So it was over.\n\nThen",
        "overlap+space",
    ),
    Case(
        "sentence said again, with the blank line",
        "So it was over.\n\n",
        "it was over.\n\nThen",
        "So it was over.\n\nThen",
        "overlap",
    ),
    Case(
        "more newlines again than before",
        "So it was over.\n",
        "it was over.\n\nThen",
        "So it was over.\n\nThen",
        "overlap",
    ),
    Case("overlap without the last space", "the quick brown ", "quick brown\nfox", "the quick brown \nfox", "overlap"),
    _cut("overlap with the last space", "the quick brown ", "quick brown ", "fox"),
    _cut("whole paragraph", ENDED + FOX, FOX, " all day."),
    _cut("three lines", "a first line\na second line\na third", "first line\na second line\na third", " line\n"),
    _cut("overlap that is the beginning as well", "banana split, please, banana split", "banana split", " again"),
    _cut("over a table's row", TABLE + "\n", "| Robert Plant | 51 |\n", "| Jimmy Page | 80 |\n"),
    _cut("over a list's item", FRUIT, "- sweet cherries", "\n- lemons\n"),
    _cut("list marker again", "1. one\n2. two\n3. ", "3. ", "three", "marker"),
    _cut("list marker again, without its space", "1. one\n2. two\n3.", "3.", " three", "marker"),
    _cut("bullet again", "- one\n- ", "- ", "two", "marker"),
    _cut("task again", "- [x] one\n- [ ] ", "- [ ] ", "two", "marker"),
    _cut("heading marks again", "Text.\n\n## ", "## ", "Title", "marker"),
    _cut("nested bullet with its indentation", "- one\n  - ", "  - ", "two", "marker"),
    _cut("nested bullet without it", "- one\n  - ", "- ", "two", "marker"),
    _cut("bold words", "This is **very impor", "**very impor", "tant**"),
    _cut("an address", "See https://example.com/docs/a", "https://example.com/docs/a", "bc.html"),
    _cut("long code, several lines", PYTHON, PYTHON[-70:], ' ValueError("negative")\n'),
    Case(
        "seven characters of Chinese are kept",
        "我今天去了北京故宫博物院",
        "北京故宫博物院参观",
        "我今天去了北京故宫博物院北京故宫博物院参观",
        "",
    ),
    _cut("eight characters of Chinese", "我今天去了北京故宫博物院", "了北京故宫博物院", "参观"),
    _cut("a joined emoji at the end", f"What a day {FAMILY}", f"a day {FAMILY}", " for us"),
    _cut("a joined emoji that grows", "So it says: 👨\u200d👩", "it says: 👨\u200d👩", "\u200d👧 fine"),
    _cut("a letter with its mark behind the overlap", "in the little cafe", "little cafe", "\u0301 outside"),
    _cut("Arabic", ARABIC, "وكان له ثلاثة أبناء", " شجعان"),
    _cut("Hebrew with marks", "בְּרֵאשִׁית בָּרָא אֱלֹהִים אֵת", "אֱלֹהִים אֵת", " הַשָּׁמַיִם"),
    _cut("mixed directions", "The word שלום עולם means", "שלום עולם means", " hello world"),
    _cut("behind spaces", FOX, "  " + FOX[-12:].lstrip(), " all day"),
]

NEAR = [
    _kept("seven characters", "The quick brown fox, ", "n fox, and"),
    _kept("one letter differs", "and the lazy dog sleeps", ", the lazy dag sleeps"),
    _kept("not at the end", "the quick brown fox jumps", " - the quick brown fox ran"),
    _kept("other case", "He went to the Old Mill and the old mill ", "The Old Mill was closed"),
    _kept("one space more", "to the old mill", " to  the old mill"),
    _kept("a line that goes on differently", "- sweet cherries\n", "- sweet cherry pie\n"),
    _kept("the last line again, longer", "- sweet cherries\n", "- sweet cherries and figs\n"),
    _kept("a word that is a whole one", "It was for the", "re is no other way"),
    _kept("the same word on purpose", "It was a very,", " very long way"),
    _spaced("a short word again", "They sang la", " ", "la all day"),
    _kept("a short line of brackets", "```js\nif (a) {\n  if (b) {\n  }\n", "  }\n}\n"),
    _kept("brackets deep down", "```js\n            }\n        }\n", "        }\n    }\n"),
    _kept("a ruler", "========\n", "========\nText"),
    _kept("a table's ruler", "| a | b | c | d |\n|---|---|", "---|---|\n| 1 | 2 | 3 | 4 |\n"),
    _kept("dashes", "--------------------", "--------------------\n"),
    _kept("dots of a contents page", "Chapter 1 ..........", ".......... 12"),
    _kept("la la la", "She sang la la la la ", "la la la la and left."),
    _kept("la la la, half way", "She sang: la la la l", "a la la la and left."),
    _kept("hallelujah", "Hallelujah, hallelujah, hallelujah, ", "hallelujah, amen"),
    _kept("refrain said twice before", "Row the boat\nRow the boat\nMerrily\nRow the boat\n", "Row the boat\nLife is"),
    _kept("refrain said twice after", "Sing:\nHey ho, hey\n", "Hey ho, hey\nHey ho, hey\nand so on"),
    _kept("alternating lines", "tick tock\ntick tock\n", "tick tock\ntick tock\n"),
    _kept("numbers in a loop", "01 02 03 01 02 03 ", "01 02 03 done"),
    _kept("a Chinese refrain", "啦啦啦啦啦啦啦啦", "啦啦啦啦啦啦啦啦，我是卖报的小行家"),
    _kept("emoji in a row", "🎉🎉🎉🎉🎉🎉🎉🎉", "🎉🎉🎉🎉🎉🎉🎉🎉 hooray"),
    _kept("repeated lines of code", "```\nmov ax, bx\nmov ax, bx\n", "mov ax, bx\nret\n"),
    _kept("closing tags", "```html\n      </div>\n    </div>\n", "  </div>\n</div>\n"),
    _kept("part of a joined emoji", f"{FAMILY} hello", "👩\u200d👧\u200d👦 hello there"),
    _kept("a flag cut in two", "🇩🇪🇫🇷 1234567", "🇪🇫🇷 1234567 and"),
    _kept("zeros", "1000000000000", "0000000000 is big"),
    _kept("hex dump", "00 00 00 00 00 00 ", "00 00 00 00 ff"),
    _kept("heading marks cut in two", "Text.\n\n#", "# Title"),
    _kept("a rule cut in two", "Text.\n\n-", "--\n"),
    _kept("a rule of stars", "Text.\n\n* ", "* *\n"),
    _kept("bold at the beginning of a line", "Text.\n\n*", "*bold** text"),
    _kept("white space only", "a\n\n        ", "        b"),
    _kept("an empty cell", "| a | b |\n|---|---|\n| | ", "| |\n"),
]

CODE = [
    _cut("fence again", "```python\nx = 1\n", "```python\n", "y = 2\n```", "fence"),
    _cut("fence again, tildes", "~~~ruby\nx = 1\n", "~~~ruby\n", "y = 2\n~~~", "fence"),
    _cut("fence again behind a blank line", "```python\nx = 1\n", "\n```python\n", "y = 2\n```", "fence"),
    _cut("fence again, other case", "```JSON\n{\n", "```json\n", '  "a": 1\n}\n```', "fence"),
    _cut("fence again, then an overlap", PYTHON, "```python\n" + PYTHON[-15:], " ValueError\n", "fence+overlap"),
    _cut("fence again, then the block from its start", PYTHON, PYTHON[13:], " ValueError\n"),
    _cut("fence with attributes again", '```python title="a"\nx = 1\n', "```python\n", "y = 2\n", "fence"),
    _cut("preamble and fence", "```go\nx := 1\n", "Sure, continuing:\n\n```go\n", "y := 2\n```", "preamble+fence"),
    _cut(
        "preamble, fence and overlap",
        SCRIPT,
        "Here is the rest of the code:\n\n```js\n" + SCRIPT[-20:].lstrip(),
        ";\n  }\n```",
        "preamble+fence+overlap",
    ),
    _cut(
        "bare fence, language now, overlap", "```\nlet total = 10\n", "```js\nlet total = 10\n", "go()", "fence+overlap"
    ),
    Case(
        "fence again in the middle of a line",
        "```js\n  go();",
        "```js\n  stop();",
        "```js\n  go();\n  stop();",
        "fence+space",
    ),
    _kept("fence that closes", "```\nx = 1\n", "```\nThat is all."),
    _kept("fence that closes one with a language", "```python\nx = 1\n", "```\nThat is all."),
    _kept("fence within a longer one", "````markdown\nLike this:\n", "```python\nx = 1\n```\n````\n"),
    _kept("another language in a block", "```markdown\nLike this:\n", "```python\nx = 1\n"),
    _kept("a second block", "```python\nx = 1\n```\n\n", "```python\ny = 2\n```\n"),
    _kept("language cut in two", "```py", "thon\nx = 1\n"),
    _kept("language to come", "```", "python\nx = 1\n"),
    _kept("newline to come", "```python", "\nx = 1\n"),
    _cut("opening fence again", "Like this:\n\n```py", "```py", "thon\nx = 1\n"),
    _spaced("newline behind the language", "```python", "\n", "import os\n"),
    _spaced("newline before the closing fence", "```python\nprint(x)", "\n", "```\n\nText"),
    _spaced("newline before the very last fence", "```python\nprint(x)", "\n", "```"),
    _kept("word in code", "```python\nreturn", "value"),
    _kept("identifier goes on", "```python\nthe_value = the", "ory\n"),
    _kept("doubled spaces in code", "```\na  ", "  b"),
    _kept("blank lines in code", "```\na\n\n", "\nb"),
    _kept("comma in code", "```js\nf(first,", "second)"),
    _kept("comma in inline code", "Call `f(first,", "second)` now"),
    _kept("words in inline code", "Call `the", "the` now"),
    _cut("indentation again", "```python\ndef f():\n    ", "    ", "return 1\n", "space"),
    _cut("indentation again, behind a statement", "```python\n    x = 1\n    ", "    ", "y = 2\n", "space"),
    _cut("tabs again", "```go\nfunc f() {\n\t", "\t", "return\n}\n", "space"),
    _kept("deeper indentation", "```python\n    if x:\n    ", "    return 1\n"),
    _kept("indentation complete", "```python\ndef f():\n    ", "return 1\n"),
    _kept("dedent", "```python\n    x = 1\n", "y = 2\n"),
    _spaced("indentation missing", "```python\nclass A:\n    def f(self):\n", "        ", "return 1\n"),
    _spaced("indentation missing behind if", "```py\nif x:\n", "    ", "go()\n"),
    _kept("no indentation behind a brace", "```c\nint main() {\n", "return 0;\n}\n"),
    _kept("no indentation behind a key", "```yaml\nservices:\n", "web:\n"),
    _kept("no indentation behind a dict's key", "```python\nx = {'a':\n", "1}\n"),
    _kept("blank line behind a colon", "```python\nclass A:\n", "\n    x = 1\n"),
    _kept("a closing bracket", "```js\nf(() => {\n  go();\n", "});\n"),
    _kept("a name used before", "```python\nself._end = 1\nx = self._end", "self._end = 2\n"),
    _cut("a name not used before", "```python\nx = self._end", "self._end", " + 1\n"),
    _kept("a dotted call", "```js\nlist", ".map(f)\n"),
]

WHITE = [
    _spaced("space between known words", "The fox saw the", " ", "fox run"),
    _spaced("space between common words", "It belongs to", " ", "the king"),
    _spaced("space before a word said before", "A dragon came. Nobody met", " ", "dragon slayers"),
    _spaced("space before a name", "Then she met", " ", "Alice there"),
    _spaced("space between German words", "Das Haus und", " ", "der Garten"),
    _spaced("space between Russian words", "Это не", " ", "так просто"),
    _spaced("space between the same words", "It is a long", " ", "long way"),
    _spaced("space behind a comma", "First the bread,", " ", "then the butter"),
    _spaced("space behind a full stop", "The bread came.", " ", "Then the butter."),
    _spaced("space behind a question", "Is it so?", " ", "Yes, it is."),
    _spaced("space behind a colon", "It needs two things:", " ", "bread and butter"),
    _spaced("space behind an Arabic comma", "ذهب الولد،", " ", "ثم عاد"),
    _spaced("space behind a bracket", "The fox (a red one)", " ", "ran away"),
    _spaced("space behind a quotation", 'He said "come here"', " ", "and left"),
    _spaced("space behind inline code", "Call `f(x)`", " ", "now"),
    _spaced("space behind bold", "This is **very**", " ", "important"),
    _kept("word cut in the middle", "The quick bro", "wn fox"),
    _kept("word cut behind its first letter", "The quick b", "rown fox"),
    _kept("word cut before its ending", "It was very interest", "ing to them"),
    _kept("word cut behind its beginning", "The science of electro", "lysis is old"),
    _kept("name cut in the middle", "He came from Kremen", "chuk by train"),
    _kept("German compound", "Sie las ein Geschichts", "buch über Rom"),
    _spaced("space behind a long word", "At night the hedgehogs", " ", "slept soundly"),
    _kept("plural of inline code", "Two `Seam`", "s"),
    _kept("a word known from before", "The format matters: as a for", "mat it is poor"),
    _kept("camel case", "Use Java", "Script here"),
    _kept("a decimal", "Pi is 3.", "14 or so"),
    _kept("thousands", "It costs 1,", "000 euros"),
    _kept("a file's name", "Open seam.", "py now"),
    _kept("an abbreviation", "Fruit, e.", "g. apples"),
    _kept("an address goes on", "See https://example.", "Org/page"),
    _kept("initials", "It was J.", "R. who came"),
    _kept("a number and its unit", "It takes 5", "km"),
    _kept("an apostrophe", "I don", "'t know"),
    _kept("a hyphen", "a well-", "known fact"),
    _kept("a possessive", "the fox", "'s tail"),
    _kept("space already there", "The fox", " ran"),
    _kept("space already before", "The fox ", "ran"),
    _cut("doubled space", "The fox ", " ", "ran", "space"),
    _kept("two spaces behind full stops", "One.  Two. ", " Three."),
    _kept("a hard line break", "Roses are red ", " \nViolets are blue"),
    _kept("paragraph cut between its newlines", "The end.\n", "\nThe beginning."),
    _cut("third newline", "The end.\n\n", "\n", "The beginning.", "space"),
    _cut("four newlines", "The end.\n\n", "\n\n", "The beginning.", "space"),
    _cut("blank line within a table", TABLE + "\n", "\n", "| Jimmy Page | 80 |\n", "space"),
    _cut("blank line within a tight list", FRUIT + "\n", "\n", "- lemons\n", "space"),
    _kept("blank line in a loose list", "- one\n\n- two\n", "\n- three\n"),
    _kept("blank line behind a list", FRUIT + "\n", "\nThat is all.\n"),
    _spaced("newline before a bullet", FRUIT, "\n", "- lemons\n"),
    _spaced("newline before a nested bullet", FRUIT, "\n", "  - from the market\n"),
    _spaced("newline before a bullet, indented list", "- a\n  - green tea", "\n  ", "- black tea\n"),
    _spaced("newline before a number", STEPS, "\n", "4. Wait.\n"),
    _spaced("newline before a number, brackets", "1) one\n2) two", "\n", "3) three\n"),
    _spaced("newline before a number, space behind the item", "1. one\n2. two ", "\n", "3. three\n"),
    _kept("a number that does not follow", "1. It costs ", "3. No, 4."),
    _kept("a dash in an item", "- tea - green", " - and black"),
    _kept("a subtraction in an item", "- the result of 7", "- 3 = 4"),
    _kept("another bullet's sign", "- a star", "* a footnote"),
    _spaced("newline before a row", TABLE, "\n", "| Jimmy Page | 80 |\n"),
    _spaced("newline before a ruler", "| a | b |", "\n", "|---|---|\n"),
    _kept("a row's next cell", "| a | b |\n|---|---|\n| 1 |", " 2 |\n"),
    _kept("a row's next cell, no space", "| a | b |\n|---|---|\n| 1 ", "| 2 |\n"),
    _spaced("blank line before a heading", "That was tea.", "\n\n", "## Coffee\n"),
    _spaced("blank line before a first heading", "That was tea.", "\n\n", "# Coffee\n"),
    _kept("a hash sign", "He writes C", "# and F# code"),
    _kept("a tag", "Look for ", "#coffee"),
    _spaced("blank line before a fence", "Like this:", "\n\n", "```python\nx = 1\n```\n"),
    _spaced("newline before a fence in an item", "1. Run this:", "\n", "```sh\nls\n```\n"),
    _kept("inline code follows", "Use ", "`x` here"),
    _kept("no space in Chinese", "我今天去", "北京了"),
    _kept("no space in Chinese, full stop", "我去了。", "你呢？"),
    _kept("no space between Chinese and English", "我喜欢", "Python 语言"),
    _kept("no space in Japanese", "今日は", "いい天気です"),
    _kept("no space in Thai", "สวัสดี", "ครับ"),
    _kept("a combining mark follows", "The cafe", "\u0301 is open"),
    _kept("a joiner follows", "Here: 👨", "\u200d👩\u200d👧 done"),
    _kept("a variation sign follows", "Sun ☀", "\ufe0f here"),
    _kept("a skin tone follows", "Thumb 👍", "🏽 up"),
    _kept("marks of direction", "The word \u200f", "שלום\u200e is Hebrew"),
    _kept("nothing but spaces", "The fox", "   "),
    _kept("nothing", "The fox", ""),
]

PREFILL = [
    Case("space again", "The fox ", " ran", "The fox ran", "space", "prefill"),
    Case("space not again", "The fox ", "ran", "The fox ran", "", "prefill"),
    Case("newlines again", "The end.\n\n", "\n\nNew", "The end.\n\nNew", "space", "prefill"),
    Case("newlines not again", "The end.\n\n", "New", "The end.\n\nNew", "", "prefill"),
    Case("one of two newlines", "The end.\n\n", "\nNew", "The end.\n\nNew", "space", "prefill"),
    Case("more newlines than before", "The end.\n", "\n\nNew", "The end.\n\nNew", "space", "prefill"),
    Case("owed indentation again", "def f():\n    ", "\n    x", "def f():\n    x", "space", "prefill"),
    Case("indentation, deeper", "if x:\n    ", "\n        x", "if x:\n        x", "space", "prefill"),
    Case("indentation without its newline", "def f():\n    ", "    x", "def f():\n    x", "space", "prefill"),
    Case("hard break without its spaces", "red  \n", "\nblue", "red  \nblue", "space", "prefill"),
    Case("other white space", "a\t", " b", "a\t b", "", "prefill"),
    Case("owed indentation, dedent", "def f():\n    ", "\ny", "def f():\n    \ny", "", "prefill"),
    Case("words again are literal", FOX, FOX[-20:], FOX + FOX[-20:], "", "prefill"),
    Case("preamble is literal", HALF, "Sure, continuing:\n", HALF + "Sure, continuing:\n", "", "prefill"),
    Case("words are not parted", "over the", "fox", "over thefox", "", "prefill"),
    Case("wide space", "一\u3000", "\u3000二", "一\u3000二", "space", "prefill"),
    Case("a new answer", "", " Hello", " Hello", "", "fresh"),
    Case("a new answer behind white space", "\n", "\nHello", "\n\nHello", "", "fresh"),
]

LONG_CODE = "```python\nimport collections\n\n\ndef count(words):\n    return collections.Counter(words)\n\n\n"
POEM = "Shall I compare thee to a summer's day?\nThou art more lovely and more temperate:\nRough winds do shake"
ESSAY = "# Tea in China and Japan\n\nTea has a long history, and it is drunk everywhere in"
TALE = (
    "从前有一座山，山上有一座庙，庙里有一个老和尚，还有一个小和尚。"
    "有一天，老和尚对小和尚说，我们来讲一个故事吧，这个故事是这样的"
)

RESTARTS = [
    Case("tale told again", KING, KING[:60], None, "restart"),
    Case(
        "first sentence again, then another one",
        KING,
        "Once upon a time there was a king who had three sons. One",
        None,
        "restart",
    ),
    Case("poem again", POEM, POEM[:45], None, "restart"),
    Case("essay again", ESSAY, "# Tea in China and Japan\n\nTea is", None, "restart"),
    Case("again behind a greeting", KING, "Sure!\n\n" + KING[:60], None, "restart"),
    Case("again behind a preamble", KING, "Sure, continuing:\n\n" + KING[:60], None, "restart"),
    Case("again behind white space", KING, "\n\n" + KING[:60], None, "restart"),
    Case("code again", LONG_CODE, LONG_CODE[:60], None, "restart"),
    Case("Chinese tale told again", TALE, TALE[:30], None, "restart"),
    Case(
        "Japanese again", JAPANESE * 2 + "所で", JAPANESE[:20] + "犬", JAPANESE * 2 + "所で" + JAPANESE[:20] + "犬", ""
    ),
    Case("Arabic again", ARABIC, ARABIC[:45], None, "restart"),
    Case("long answer again", KING + FOX * 9, KING + FOX, None, "restart"),
    Case(
        "with its own greeting",
        "Of course! Here is a story about a fox and a hen in the wood. They",
        "Of course! Here is a story about a fox and a wolf",
        None,
        "restart",
    ),
    Case("all of a short answer, and on", KING, KING + " youngest", KING + " youngest", "overlap"),
    _kept("too short to tell", "A short answer about tea, which", " A short answer about tea"),
    _kept("a chorus sung before", (POEM + ".\n") * 2, POEM[:50]),
    _kept("only its first words", KING, " - Once upon a time there was a queen"),
    _kept("the first sentence in the middle", KING, " story began: Once upon a time there was a king who had three"),
]

CASES = [*_generated(), *PREAMBLE_CASES, *OVERLAPS, *NEAR, *CODE, *WHITE, *PREFILL, *RESTARTS]
