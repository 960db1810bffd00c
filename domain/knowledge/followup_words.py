"""Words by which a message shows that it leans on what was said before, by language. Not for the rule: `followup.py`.

Lists are short on purpose: a word is here when it points back by itself in nearly every question.
"""

# ruff: noqa: RUF001 - other languages have other letters

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FollowUpWords:
    """points: stand for something said before. opens: begin a message that goes on. empty: tell no topic.

    spaced False: the words are looked for anywhere in the text, as the script writes no spaces.
    """

    points: frozenset[str]
    opens: tuple[str, ...]
    empty: frozenset[str]
    spaced: bool = True


def _words(points: str, opens: str, empty: str, *, spaced: bool = True) -> FollowUpWords:
    first = tuple(part.strip() for part in opens.split(",") if part.strip())
    return FollowUpWords(frozenset(points.split()), first, frozenset(empty.split()), spaced)


WORDS: dict[str, FollowUpWords] = {
    "en": _words(
        "it its itself they them their theirs he him his she her hers this that these those such ones former latter "
        "same there",
        "and, or, but, so, then, also, what about, how about, what else, what if, why not, same for, any other, "
        "anything else, else, otherwise, instead, is that, are those",
        "a an the of in on at to for from by with about as into than and or but so if then also too very just only "
        "i you we me my your our us be is am are was were been being do does did done have has had can could will "
        "would shall should may might must not no yes ok okay what which who whom whose when where why how much many "
        "hello hi hey bye goodbye lot great fine cool sorry "
        "please thanks thank tell know want need get give more most some any all other another else there here "
        "mean case it its they them their this that these those one ones same really still now again let's",
    ),
    "de": _words(
        "es er ihn ihm ihr ihre ihren ihrem dies diese dieser dieses diesen diesem jene jener jenes davon dafür "
        "dazu damit daran darauf darüber darin dabei dagegen dort derselbe dieselbe dasselbe denen dessen deren",
        "und, oder, aber, also, dann, auch, was ist mit, wie ist es mit, wie sieht es, sonst, stattdessen, was noch",
        "der die das den dem des ein eine einen einem einer eines von in an auf zu für mit bei aus nach über um als "
        "und oder aber wenn dann auch sehr nur ich du sie wir mir mich dich mein dein unser ist bin bist sind war "
        "waren sein hat habe haben hatte kann können wird werden soll muss darf nicht nein ja was welche welcher "
        "welches wer wen wem wessen wann wo warum wieso wie viel viele bitte danke gibt es mehr andere noch denn "
        "kostet doch mal",
    ),
    "fr": _words(
        "il ils elle elles lui leur leurs celui celle ceux celles cela ça ceci y en ce cet cette ces même",
        "et, ou, mais, alors, donc, aussi, qu'en est-il, et pour, quoi d'autre, sinon",
        "le la les l un une des du de d à au aux en dans sur pour par avec sans et ou mais si alors aussi très je tu "
        "nous vous me te mon ma mes ton votre notre est suis es sont était être a ai as ont avoir peut peux pouvez "
        "dois doit faut ne n pas non oui que qu quel quelle quels quelles qui quoi quand où pourquoi comment combien "
        "merci plus autre autres ce se c s j ils elles il elle on y",
    ),
    "es": _words(
        "ello él ella ellos ellas lo los eso esto ese esa esos esas aquel aquella su sus mismo misma ahí allí",
        "y, o, pero, entonces, también, qué tal, y para, qué más, si no, en cambio",
        "el la los las un una unos unas de del en a al por para con sin y o pero si entonces también muy yo tú usted "
        "nosotros me te mi mis tu tus es soy son era ser está están estar ha he han haber hay puede puedo "
        "pueden debo "
        "debe no sí que qué cuál cuáles quién cuándo dónde "
        "cómo cuánto cuánta cuántos cuesta gracias más otro otra se le les favor",
    ),
    "it": _words(
        "esso essa essi esse lui lei loro lo ciò questo questa questi queste quello quella quelli quelle ne "
        "ci stesso "
        "stessa lì suo sua",
        "e, o, ma, allora, quindi, anche, che ne dici, e per, cos'altro, altrimenti, invece",
        "il lo la i gli le un uno una di del della dei a al alla in nel nella su per con da e o ma se anche "
        "molto io tu "
        "noi voi mi ti mio mia tuo è sono sei era essere ha ho hanno avere può posso possono devo deve non no sì che "
        "cosa quale quali chi quando dove perché come quanto quanta quanti costa grazie più altro altra si c",
    ),
    "pt": _words(
        "ele ela eles elas lo isso isto esse essa esses essas este esta aquele aquela aquilo disso nisso dele dela "
        "deles delas mesmo mesma lá seu sua",
        "e, ou, mas, então, também, e quanto, que tal, e para, o que mais, senão",
        "o a os as um uma de do da dos das em no na por para com sem e ou mas se então também muito eu tu "
        "você nós me "
        "te meu minha é sou são era ser está estão tem tenho têm ter há pode posso podem devo deve não sim que qual "
        "quais quem quando onde porque como quanto quanta quantos custa obrigado mais outro outra",
    ),
    "nl": _words(
        "het hij hem zij ze hen hun haar dit dat deze die ervan ervoor erbij daarvan daarvoor daarbij daarmee "
        "hiervan hiervoor dezelfde hetzelfde daar er",
        "en, of, maar, dus, dan, ook, hoe zit het met, en voor, wat nog meer, anders",
        "de een van in op aan te voor met bij uit naar over om als en of maar dan ook heel ik jij je u wij we me mij "
        "mijn jouw uw ons is ben zijn was waren heb heeft hebben kan kunnen zal wordt moet mag niet nee ja wat welke "
        "wie wanneer waar waarom hoe veel kost alstublieft bedankt meer andere nog er het dat die dit",
    ),
    "pl": _words(
        "on ona ono oni one go jego jej ich im nim nią nimi to ten ta te tego tej tym tych tam taki sam samo",
        "a, i, albo, ale, więc, też, a co z, co jeszcze, inaczej",
        "w we z ze na do od dla po przy o u za i a albo ale czy że się nie tak jest są był być mam ma mieć mogę może "
        "można trzeba co jaki jaka jakie który kto kiedy gdzie dlaczego jak ile kosztuje proszę dziękuję więcej inny "
        "inne to ten ta ja ty my pan pani mnie mi",
    ),
    "ru": _words(
        "он она оно они его её ее ему ей им их нём нем ней них это этот эта эти этого этой этом этих тот та те того "
        "той том тех там такой такая такие же",
        "а, и, или, но, тогда, также, ещё, еще, а как насчет, а если, что ещё",
        "в во на с со к по о об от до для из у за при и а или но что чтобы если ли не нет да я ты мы вы мне меня мой "
        "моя ваш есть был была быть могу может можно нужно надо какой какая какие который кто когда где почему как "
        "сколько стоит пожалуйста спасибо больше другой другие это",
    ),
    "tr": _words(
        "o onu onun ona onlar onları onların bu bunu bunun buna bunlar şu şunu orada aynı",
        "ve, veya, ama, peki, ya, ayrıca, başka",
        "bir ile için mi mı mu mü de da ki çok ben sen biz siz benim var yok ne hangi kim ne zaman nerede "
        "neden nasıl "
        "kaç kadar lütfen teşekkürler daha başka olur olarak bu o",
    ),
    "ar": _words(
        "هو هي هم هذا هذه ذلك تلك هؤلاء منه منها عنه عنها له لها لهم فيه فيها به بها هناك نفس نفسه",
        "و, أو, لكن, إذن, أيضا, ماذا عن, وماذا عن, وهل, وكم, وكيف",
        "في من إلى على عن مع هل ما ماذا من متى أين لماذا كيف كم أي أنا أنت نحن لا نعم كان يكون يمكن يجب لي "
        "شكرا أكثر أو ثم",
    ),
    "ko": _words(
        "그것 그거 그건 이것 이거 이건 저것 그게 이게 거기 그들 그럼 그런",
        "그리고, 그러면, 그럼, 또, 그런데, 아니면, 다른",
        "무엇 뭐 어떤 어떻게 언제 어디 왜 누구 얼마 얼마나 있나요 인가요 하나요 되나요 좀 더 수 제가 저는",
        spaced=False,
    ),
    "zh": _words(
        "它 他 她 这个 那个 这些 那些 其 此 该 这种 那种 这样 那样 那里 这里 那边 上述",
        "那, 那么, 还有, 另外, 如果, 或者, 而, 但是, 呢",
        "的 了 吗 呢 吧 啊 是 有 在 我 你 您 我们 什么 怎么 怎样 如何 哪 哪里 哪些 谁 几 多少 多久 为什么 "
        "可以 能 会 要 不 没 请 问 和 与 就 都 也 很 需要 多 钱",
        spaced=False,
    ),
    "ja": _words(
        "それ これ あれ その この あの そこ ここ そちら こちら 彼 彼女 同じ そう",
        "では, じゃあ, それで, また, あと, 他に, ほかに, でも, もし, それなら",
        "の は が を に で と も か へ や から まで より です ます ですか ますか ください 何 いつ どこ 誰 "
        "なぜ どう どの どれ いくら "
        "できます ある いる する なる こと もの 場合 私 ない はい いいえ",
        spaced=False,
    ),
}
