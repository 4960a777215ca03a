"""Words and characters, as far as a seam can know them without a dictionary."""

from __future__ import annotations

import re
import unicodedata

# Scripts that put no space between words: South-East Asian ones, kana, ideographs.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u312f\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff]"
)
_JOINER = "\u200d"
# As far back as a word is looked for.
_MEMORY = 20_000

# Words that stand alone in nearly every text of their language, and rarely end a longer word.
_COMMON_WORDS = (
    "a about after all also an and are as at be because been before but by can could did do does for from had has have"
    " he her his how i if in into is it its just like many more most my no not of on one only or our out over she so"
    " some such than that the their them then there these they this those through to up very was we were what when"
    " where which while who will with would you your"
    " aber als auch auf aus bei das dass dem den der des die durch ein eine einem einen einer es für hat ich im ist"
    " kann mit nach nicht noch nur oder sein sich sie sind über und von war wenn werden wie wird zu zum zur"
    " au aux avec ce ces cette dans de du elle en est et il ils je la le les leur mais ne nous on ou où par pas pour"
    " que qui sa se ses son sont sur un une vous"
    " al como con cuando del el ella entre era es esta este hay las lo los más muy para pero por porque se ser sin"
    " sobre su sus también una uno y"
    " ao com como da dos ele ela em isso mais mas na não nas no nos o os pela pelo são sua um uma"
    " che ci da dal della delle di gli ha hanno il lo nel nella per più quando questo sono tra è"
    " aan bij dan dat deze door een het hij ik met naar niet ook op van voor was wat ze zijn"
    " а в во для до его ее если же за и из или их к как когда который мы на не но о он она они от по при с со так то"
    " у что это"
)
_COMMON = frozenset(_COMMON_WORDS.split())


# What a long word, cut in two, is likely to begin with, and to go on with.
_PREFIX = re.compile(
    r"(?:anti|auto|back|bio|co|counter|de|dis|en|electro|extra|fore|geo|hydro|hyper|im|in|infra|inter|intra|macro|mega|meta|"
    r"micro|mini|mis|mono|multi|nano|neuro|non|omni|out|over|para|photo|poly|post|pre|proto|pseudo|psycho|quasi|radio|re|"
    r"retro|semi|socio|sub|super|techno|tele|thermo|trans|ultra|un|under|uni|up)\Z",
    re.IGNORECASE,
)
_ENDING = re.compile(
    r"(?:[ai]bl[ey]|[aei]nce?s?|[ae]nt(?:ly|s)?|[ai]r(?:y|ies|ily)|al(?:ly|s|ity)?|at(?:e[ds]?|ing|ors?)|dom|ed(?:ly)?|"
    r"[ei]es|e[nr]s?|est|ful(?:ly|ness)?|hood|i[cf](?:al|ally|s|y)?|ic(?:al)?ly|ing(?:ly|s)?|io(?:n|ns|nal|us|usly)|"
    r"is(?:m|ms|t|ts|tic|h)|iti?es|ity|i[sz](?:e[drs]?|ing|ations?)|ive(?:ly|s)?|less(?:ly|ness)?|ly|ment(?:al|s)?|"
    r"ness(?:es)?|o(?:us|usly|r|rs|ry)|s|[st]ion(?:al|s)?|ship|t(?:h|ed|ing|ive)|tur(?:e|es|ed|al)|ward|wise|y)\Z"
)
_LONG, _NEXT = 5, 3


def unspaced(char: str) -> bool:
    return _UNSPACED.match(char) is not None


def telling(text: str) -> int:
    """Return how many characters say something: letters, digits, emoji; not punctuation, rules and white space."""
    return sum(char.isalnum() or (char > "\u25ff" and unicodedata.category(char) == "So") for char in text)


def cuts_cluster(text: str, at: int) -> bool:
    """Tell whether `at` is inside of what is seen as one character: a joined emoji, a flag, a letter with marks."""
    if not 0 < at < len(text):
        return False
    left, right = text[at - 1], text[at]
    return (
        left == _JOINER
        or right == _JOINER
        or unicodedata.category(right) in {"Mn", "Mc", "Me"}
        or "\U0001f3fb" <= right <= "\U0001f3ff"
        or "\U000e0020" <= right <= "\U000e007f"
        or ("\U0001f1e6" <= left <= "\U0001f1ff" and "\U0001f1e6" <= right <= "\U0001f1ff")
    )


def knows(text: str, word: str) -> bool:
    """Tell whether `word` is known to be a whole one: a common word, or one that stands alone in `text`."""
    if word.lower() in _COMMON:
        return True
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text[-_MEMORY:], re.IGNORECASE) is not None


def apart(text: str, last: str, first: str, *, likely: bool) -> bool:
    """Tell whether `last`, the end of `text`, and `first`, which follows it, are two words rather than one cut in two.

    What is one word elsewhere in the text is one word here. `likely`: they are two unless known to be one.
    """
    text = text.removesuffix(last)
    if knows(text, last + first):
        return False
    if likely or (len(first) > 1 and knows(text, first)):
        return True
    if _ENDING.match(first) or _PREFIX.match(last):
        return False
    if knows(text, last) or (len(last) > 2 and last.lower() == first.lower()):
        return True
    # Where words are short, a long one that might have ended has ended.
    if last.islower() and (last + first).isascii() and len(last) >= _LONG and len(first) >= _NEXT:
        return True
    return len(last) > 2 and last.islower() and first[0].isupper() and first[1:].islower()
