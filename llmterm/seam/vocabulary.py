"""The words of which preambles are made, by language: greetings, announcements of more, mentions of the break.

A preamble is a sentence in which every word is one of these. Each language has four sets: words that agree or excuse,
words that announce a continuation, words that speak of the break, and whatever stands between them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto


class Sense(Enum):
    GREETING = auto()
    ANNOUNCING = auto()
    BREAK = auto()
    BETWEEN = auto()


_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`spaced`: whether words are told apart by what stands between them, or only by knowing them."""

    words: dict[str, Sense]
    spaced: bool
    _beginnings: frozenset[str] = field(init=False)
    _longest: int = field(init=False)

    def __post_init__(self) -> None:
        beginnings = frozenset(word[:size] for word in self.words for size in range(1, len(word) + 1))
        object.__setattr__(self, "_beginnings", beginnings)
        object.__setattr__(self, "_longest", max(map(len, self.words)))

    def word(self, text: str, at: int) -> str:
        """Return the word at `at`, as it stands there; "" if none of these words does."""
        if self.spaced:
            match = _WORD.match(text, at)
            return match[0] if match and match[0].lower() in self.words else ""
        sizes = range(min(self._longest, len(text) - at), 0, -1)
        return next((text[at : at + size] for size in sizes if text[at : at + size] in self.words), "")

    def may_follow(self, text: str, at: int) -> bool:
        """Tell whether all of the text from `at` on is the beginning of one of these words."""
        return text[at:].lower() in self._beginnings


def _vocabulary(greeting: str, announcing: str, breaking: str, between: str, *, spaced: bool = True) -> Vocabulary:
    words = dict.fromkeys(between.split(), Sense.BETWEEN)
    words.update(dict.fromkeys(greeting.split(), Sense.GREETING))
    words.update(dict.fromkeys(announcing.split(), Sense.ANNOUNCING))
    words.update(dict.fromkeys(breaking.split(), Sense.BREAK))
    return Vocabulary(words, spaced)


VOCABULARIES = (
    # English
    _vocabulary(
        "sure certainly ok okay course absolutely understood apologies sorry apologize yes alright great thanks thank"
        " problem gladly happily definitely got",
        "continue continues continuing continued continuation rest remaining remainder resume resuming pick picking"
        " carry carrying proceed proceeding",
        "off stopped interrupted interruption previous cut paused",
        "a again all an and answer article as asked at back be been below by can code confusion conversation d did"
        " directly do essay exactly explanation finish following for from get go had have here i immediately in is it"
        " just last left let like list ll m me message moment my no now of on our output part place please poem point"
        " position re repeating request requested respond response right s script seamlessly section sentence"
        " so story straight table text that the then there this to up us ve was we were where will with without"
        " would you your",
    ),
    # German
    _vocabulary(
        "klar natürlich gerne gern sicher selbstverständlich okay ok ja verstanden entschuldigung ordnung",
        "fortsetzung weiter fortfahren fortzufahren fahre setze fort rest restliche restlichen fortsetzen"
        " weitermachen weitergeht mache",
        "aufgehört abgebrochen unterbrochen unterbrechung geblieben stehengeblieben abbruch",
        "ab alles an antwort artikel aufsatz bei bin code da das dem den der des dort deine deiner die du es exakt"
        " folgt für geht genau geschichte habe hatte hier ich im in ist jetzt kommt lass letzten liste meine meiner"
        " mich mit nun punkt s sind stehen stelle text textes teil uns und unserer von vom war wie wir wo wurde zu zum"
        " zur",
    ),
    # French
    _vocabulary(
        "bien sûr certainement accord entendu absolument volontiers oui ok désolé désolée parfait",
        "suite continue continuer continuons continuation reste reprends reprenons reprendre poursuis poursuivons"
        " poursuivre",
        "arrêté arrêtée arrêtés arrêtées interrompu interrompue interrompus interruption",
        "à ai article au avais avait avions c ce code d dans de demande des donc du en est et étais étions exactement"
        " été faire histoire ici j je l la là le les liste m ma me mon nous on où par partir poème point pour que qui"
        " réponse s sommes suis t ta texte très un une va vais voici votre",
    ),
    # Spanish
    _vocabulary(
        "claro supuesto luego seguro acuerdo sí entendido vale perfecto ok certamente",
        "continúo continuo continuando continuación continuar continuemos sigo seguir siguiendo sigue sigamos resto"
        " retomo retomando prosigo prosiguiendo",
        "quedé quedamos quedó dejé dejamos detuve interrumpió interrumpí interrupción",
        "a ahora aquí artículo código con cuento de del desde donde el en es está están exacto exactamente había"
        " historia la las lista lo los me mi mismo nos para por punto que respuesta se su te texto tienes tu va vamos"
        " voy y",
    ),
    # Portuguese
    _vocabulary(
        "claro certeza certamente ok sim perfeito entendido",
        "continuando continuação continuo continuar continuarei continuemos restante resto retomando retomo segue"
        " seguindo prosseguindo prossigo",
        "parei paramos parou interrompido interrompida interrompi interrupção",
        "a agora aqui artigo as código com da das de do dos é em está estão eu exatamente foi história lista mesmo meu"
        " minha na no o onde os para ponto por que resposta seu sua texto vamos vou",
    ),
    # Italian
    _vocabulary(
        "certo certamente naturalmente bene ok sì accordo volentieri perfetto",
        "continuo continuando continuazione continuiamo continuare seguito resto riprendo riprendendo riprendiamo"
        " proseguo proseguendo proseguiamo",
        "interrotto interrotta interruzione fermato fermata fermati rimasto rimasti rimasta lasciato",
        "a al articolo avevamo avevo che ci codice con d da dal dalla dallo del della dello di dove e è ecco ero"
        " eravamo esattamente gli ho i il in l la lista lo mi mia nel per punto qui risposta si siamo sono storia testo"
        " tua un",
    ),
    # Dutch
    _vocabulary(
        "natuurlijk zeker uiteraard goed ok oké ja begrepen prima graag",
        "verder vervolg vervolgen vervolgt rest resterende doorgaan hervat hervatten voortzetting",
        "gebleven gestopt onderbroken onderbreking afgebroken",
        "antwoord code daar dan de door een en er ga gaan hier het ik in is jouw komt laat lijst me met mijn nu precies"
        " punt tekst uw van vanaf verhaal volgende volgt waar was we",
    ),
    # Russian
    _vocabulary(
        "конечно хорошо разумеется безусловно да ладно понятно окей извините",
        "продолжаю продолжение продолжим продолжу продолжая продолжаем остаток остальная остальное оставшаяся"
        " дальше далее",
        "остановился остановилась остановились прервался прервалась прервано прерван прервали прервались",
        "в вот где за и из истории код кода места месте мне мой моего мы на начиная ответ ответа с списка текст текста"
        " того тем том часть что где же котором который момента момент я",
    ),
    # Polish
    _vocabulary(
        "oczywiście jasne pewnie dobrze tak ok rozumiem",
        "kontynuuję kontynuując kontynuacja kontynuujmy dalej ciąg dalsza dalszy reszta pozostała",
        "przerwałem przerwałam przerwano przerwaliśmy skończyłem skończyłam skończyliśmy zatrzymałem zatrzymałam",
        "część do gdzie historii i kodu listy miejsca mojej momentu na od odpowiedzi odpowiedź oto punktu tego tekst"
        " tekstu tym w którym z",
    ),
    # Korean
    _vocabulary(
        "네 물론입니다 물론이죠 물론 알겠습니다 좋습니다",
        "계속하겠습니다 계속합니다 계속 계속해서 이어서 이어 이어지는 나머지 나머지는 이어집니다 계속됩니다",
        "중단된 끊긴 멈춘 중단되었던",
        "글을 글 내용 내용을 내용은 내용입니다 다음 다음은 다음과 같습니다 답변 답변을 부분"
        " 부분부터 부분을 부분은 부분입니다 부터 쓰겠습니다 여기 여기서부터 이야기를"
        " 작성하겠습니다 작성할게요 진행하겠습니다 코드 코드를 하겠습니다 할게요 곳에서 곳부터",
    ),
    # Chinese
    _vocabulary(
        "好的 好 当然 當然 没问题 沒問題 明白 明白了 可以",
        "继续 繼續 接着 接著 接上文 接上 续写 續寫 续 續 剩余 剩餘 剩下 其余 其餘 余下",
        "中断 中斷 停下 断开 斷開",
        "的 部分 内容 內容 以下 下面 是 为 為 这 這 那 里 裡 里是 从 從 我 将 將 会 會 来 來 了 吧"
        " 您 你 请 請 看 写 寫 上文 上面 处 處"
        " 地方 回答 文章 故事 代码 代碼 列表 就 在 上次 刚才 剛才 前面 给 給 往下 下去",
        spaced=False,
    ),
    # Japanese
    _vocabulary(
        "はい もちろん 承知しました 了解しました わかりました 分かりました かしこまりました 承知いたしました",
        "続き 続け 続く 再開 残り",
        "中断 途中",
        "です ます ました を は の から が に と で な て た 以下 通り とおり 書き 書 いたし し"
        " ところ 先ほど 回答 部分 こちら それでは では さき コード 文章 物語 示し ください され",
        spaced=False,
    ),
)
