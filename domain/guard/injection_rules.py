"""The rules of injection.py: a weight, words of which one must occur for the rule to be tried, and the pattern.

Texts come in lower case with single spaces. The words are there for speed: most texts hold few of them, and
looking for a word is a hundred times cheaper than trying a pattern.
"""

# ruff: noqa: E501, RUF001 - a pattern is read whole, in one line, and other languages have other letters

_EARLIER = r"(?:previous|prior|above|earlier|preceding|foregoing|former|initial|original|existing|system|pre-?existing)"
_ORDERS = r"(?:instructions?|prompts?|rules|directions?|directives?|guidelines?|commands?|programming|constraints|training|polic(?:y|ies)|inputs?|messages?|conversations?|text)"
_DROP = r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget|override|overrule|bypass|overwrite|do not (?:follow|obey)|don't (?:follow|obey)|stop following|neglect)"
_LIMITS = r"(?:restrict(?:ions?|ed)|limit(?:s|ations?)|filters?|censorship|rules|guidelines|boundaries|morals?|morality|ethic(?:s|al)|legal|constraints|safeguards|inhibitions|content polic(?:y|ies))"

RULES: tuple[tuple[float, str, str], ...] = (
    # Orders to drop the instructions.
    (1.0, "ignor|disregard|forget|overrid|overrul|bypass|overwrit|obey|not follow|n't follow|stop following|neglect", rf"\b{_DROP}(?: \w+){{0,4}}? (?:(?:{_EARLIER}|you(?:'ve| have| were)(?: been)? (?:given|told|taught))(?: \w+){{0,3}}? {_ORDERS}\b|(?:above|previous|prior|before this)(?:[.,;:!]| and\b|$))"),
    (1.0, "ignor|disregard|forget|overrid|overrul|bypass|overwrit|obey|not follow|n't follow|stop following|neglect", rf"\b{_DROP}(?: all| any| every| each)?(?: of)? (?:your|ur)(?: \w+){{0,3}}? {_ORDERS}\b"),
    (1.0, "ignor|disregard|forget|overrid|overrul|bypass|overwrit|obey|not follow|n't follow|stop following|neglect", rf"\b{_DROP} (?:all|any|every)(?: of)?(?: the| these| those| other)? (?:instructions?|prompts?|rules|directives?|guidelines?)(?: (?:above|before|so far|given|you)|\W|$)"),
    (1.0, "forget", r"\bforget (?:everything|all|anything)(?: that)? (?:(?:i|you|we)(?:'ve| have| were| had)?(?: been)?(?: \w+){0,2}? (?:told|taught|instructed|learned|said|given|know)|(?:\w+ ){0,3}(?:above|before this|previous|prior|from chat))\b"),
    (1.0, "new |your real|your true|your actual", r"\bnew (?:system )?(?:instructions|prompt)\s*[:=]|\byour (?:new|real|true|actual) (?:instructions|task|goal|role|system prompt) (?:is|are)\b"),
    (1.0, "stop everything|never mind|nevermind", r"\bstop everything\b.{0,30}\b(?:say|print|output|write)\b|\bnever ?mind\b.{0,60}\bjust (?:say|print)\b"),
    # Orders to show what is hidden.
    (1.0, "prompt|instruction|message|rules|guideline|directive", r"\b(?:reveal|show|print|repeat|output|display|leak|expose|disclose|dump|recite|give|tell|send|write out|copy|paste)\b(?: \w+){0,4}? (?:your|the|its|ur)(?: \w+){0,2}? (?:system|initial|hidden|original|secret|internal|developer|pre-?)[ -]?(?:prompts?|instructions?|messages?|rules|guidelines|directives)\b"),
    (1.0, "prompt|instruction|message|rules", r"\bwhat(?:'s| is| are| was| were) (?:your|ur)(?: \w+){0,2}? (?:system|initial|hidden|original|secret|internal|developer) ?(?:prompts?|instructions?|messages?|rules)\b"),
    (1.0, "repeat", r"\brepeat (?:everything|all|the (?:words|text|lines?|sentences?)|what (?:is|was))(?: \w+){0,4}? (?:above|before this|starting with)\b"),
    # Another self.
    (1.0, "anything now|dan|d.a.n", r"\bdo anything now\b|\bd\.?a\.?n\.? (?:mode|stands)\b|\b(?:as|be|are|named|called|become) (?:a )?[\"'*(\[]*dan\b(?! \w+(?:son|ski|er)\b)"),
    (0.8, "mode", r"\b(?:developer|debug|god|admin|jailbreak|jailbroken|dan|unrestricted|unfiltered|evil|root|sudo|opposite|chaos|anti-?gpt|stan|dude|aim|maintenance)[ _\\-]*mode\b(?=.{0,60}(?:enabled?|activ|on\b|output|respon|unlock|:|\]))"),
    (0.5, "jailbr", r"\b(?:jailbr(?:eak|oken)(?:ed|s|ing)?)\b"),
    (0.4, "from now|from this|henceforth|starting now", r"\b(?:from (?:now on|this (?:moment|point)(?: on(?:ward)?)?)|henceforth|starting now),? (?:\w+ ){0,3}?(?:you|act|answer|respond|only|your|every|whenever|when|i)\b"),
    (0.35, "you", r"\byou(?:'re| are| will)(?: now| going to| about to| to)(?: be| act| become| pretend| immerse| roleplay| simulate| play| take)?\b"),
    (0.2, "pretend|act|role|simulat|impersonat|behav|respond|answer|write|speak|talk", r"\b(?:pretend|act|acting|role-?play(?:ing)?|simulat(?:e|ing)|impersonat(?:e|ing)|behave|respond|answer|write|speak|talk)(?: \w+){0,2}? (?:as|to be|that you|you are|like)\b"),
    (0.4, "character", r"\b(?:stay|remain|be|stays|always|never|not) (?:always )?(?:in|break(?:s|ing)?)(?: \w+)? character\b|\bbreak(?:s|ing)? (?:out of )?character\b"),
    (0.5, "two|2|both|one ", r"\b(?:two|2|both) (?:different |separate |distinct )?(?:ways|responses|answers|replies|paragraphs|outputs)\b|\bone (?:as|normal|standard|being)\b.{0,80}\b(?:other|second|another|two)\b"),
    (0.4, "prefix|prefac|start|begin|preced|end", r"\b(?:prefix|preface|start|begin|precede|end)(?:ed|ing|s)?\b.{0,40}(?:respon[sd]\w*|answer\w*|repl\w+|message|output|sentence)\b.{0,30}(?:with|by|as)\b|\bprefix(?:ed)? (?:your|all|each|every|with|\W)"),
    (0.3, "gpt|openai|language model|llm|ai |chat", r"\b(?:chat ?gpt|gpt-?[345]\w*|openai|language model|\bllm\b|ai (?:model|assistant|bot|chatbot)|chat ?bot)\b"),
    (0.4, "as a|you are a|being a|re a|like a", r"\b(?:as|you are|being|you're|that you are|like) an? (?:ai|artificial intelligence)(?: language)?(?: model)?\b"),
    (0.3, "fiction|hypothetical|imaginary|fictitious|story|novel", r"\b(?:fictional|hypothetical|imaginary|fictitious|story|novel)\b.{0,200}\b(?:ai|chatbot|character|named|called)\b.{0,200}\b(?:no|without|any|amoral|unfiltered|illegal|unethical)\b"),
    # No limits.
    (0.6, "restrict|limit|filter|censor|rules|guideline|boundar|moral|ethic|legal|constraint|safeguard|inhibition|polic", rf"\b(?:no|without|zero|free (?:of|from)|not (?:bound|limited|restricted|confined) (?:by|to)|no longer (?:bound|limited|restricted|confined)|ignor\w+|bypass\w*|disregard\w*|defies|regardless of|removed?|lacks?|doesn't have|does not have|do not have|don't have|have no|has no|lift(?:ed)?)(?: \w+){{0,5}}? {_LIMITS}\b"),
    (0.5, "censor|filter|restrict|unhinged|amoral|moderated|remorse", r"\b(?:uncensored|unfiltered|unrestricted|unhinged|amoral|un-?moderated|no-?filter|non-?restricted|without (?:any )?(?:remorse|censor))\w*\b"),
    (0.5, "refus|apolog|declin|reject|say|warn|disclaim|moraliz|lectur", r"\b(?:never|not|don't|cannot|can't|can not|won't|without|no) (?:\w+ ){0,2}?(?:refus(?:e|es|ing|al)|apologi[sz]e|declin(?:e|es)|reject|say (?:no|that you can't|you can't|sorry|i'm sorry)|warn|disclaimers?|warnings?|moraliz\w+|lectur\w+)\b"),
    (0.5, "polic|guideline|restriction|filter|rules", r"\b(?:open ?ai(?:'?s)?|content|usage|safety|ai|moderation|ethical) (?:content |usage |use )?(?:polic(?:y|ies)|guidelines|restrictions|filters?|rules)\b"),
    (0.5, "illegal|ethical|moral|harmful|offensive|nsfw|profan|explicit|inappropriate|dangerous", r"\b(?:illegal|unethical|immoral|amoral|harmful|offensive|nsfw|profan\w+|explicit|inappropriate|dangerous)\b.{0,60}\b(?:illegal|unethical|immoral|amoral|harmful|offensive|nsfw|swear\w*|curs\w+|explicit|dangerous)\b"),
    (0.5, "rule|law|moral|ethic|polic|guideline|legal|restriction|limit", r"\b(?:does(?:n't| not)|do(?:n't| not)|never|without) (?:\w+ ){0,2}?(?:care|follow|adhere|comply|abide|obey|give a (?:fuck|damn|shit)|consider)\b.{0,60}\b(?:rule|law|moral|ethic|polic|guideline|legal|restriction|limit)"),
    (0.4, "will|must|can|always|happily|should", r"\b(?:will|must|can|always|happily|should) (?:\w+ ){0,2}?(?:answer|comply|obey|do|fulfil|follow|respond to|generate|say)(?: \w+){0,4}? (?:any(?:thing)?|every(?:thing)?|all|whatever)\b"),
    # Forged places in the prompt.
    (1.0, "<|[|i-nstr|instruction", r"<\|?(?:im_start|im_end|system|endoftext|start_header_id|eot_id)\|?>|<<\/?sys>>|\[/?inst\]|\bsystem i-?nstructions? (?:begins?|ends?)\b"),
    (0.7, ":", r"(?:^|\n|[.>\]}\"*] )(?:#{1,4} ?)?(?:system|developer|assistant|admin(?:istrator)?)(?: (?:message|prompt|note|override|notice))? ?:(?!//)"),
    (0.6, "of |terminat", r"\b(?:end|begin|start|terminat\w+)(?:ning)? of (?:the )?(?:system|user|prompt|context|document|instructions?)\b|\buser message terminat"),
    (0.3, "[|{|<prompt>", r"\[(?:your |insert )?(?:prompt|question|query|request)[^\]]{0,20}\]|\{(?:prompt|question|query)\}|<prompt>"),
    # The same order in other languages.
    (1.0, "ignorier|vergiss|vergessen|missacht|umgeh", r"\b(?:ignorier\w*|vergiss|vergessen sie|missachte\w*|umgehe)\b.{0,40}\b(?:vorherig\w*|bisherig\w*|obig\w*|vorangehend\w*|deine|ihre|alle|system\w*)\b.{0,30}(?:anweisung\w*|instruktion\w*|regeln|vorgaben|befehle?|prompts?)"),
    (1.0, "ignor|oubli|neglig|néglig|abstraction", r"\b(?:ignore[rzs]?|oublie[rzs]?|néglige[rz]?|fais abstraction)\b.{0,40}\b(?:instructions?|consignes?|règles|directives)\b.{0,20}(?:précédent\w*|antérieur\w*|ci-dessus|d'avant|reçues|$)"),
    (1.0, "ignor|olvid|omit|descart|esque|desconsider|dimentic|trascur", r"\b(?:ignor[ae]\w*|olvid[ae]\w*|omit[ae]\w*|descart[ae]\w*|esque[cç]\w*|desconsider\w*|dimentica\w*|trascura\w*)\b.{0,40}\b(?:instruc\w+|reglas|indicaciones|órdenes|instruções|regras|istruzioni|regole)\b"),
    (1.0, "negeer|vergeet|ignoruj|zapomnij", r"\b(?:negeer|vergeet)\b.{0,40}\b(?:instructies|regels|opdrachten)\b|\b(?:zignoruj|zapomnij|ignoruj)\w*\b.{0,40}\b(?:instrukcj\w+|polece\w+|zasad\w*)\b"),
    (1.0, "игнорир|забуд|обращай", r"(?:игнорир\w+|забуд\w+|проигнорир\w+|не обращай)\b.{0,40}(?:инструкц\w+|указани\w+|правил\w*|команд\w*)"),
    (1.0, "talimat|kural|yönerge|bỏ qua", r"(?:önceki|tüm|yukarıdaki)\b.{0,30}(?:talimat\w*|kural\w*|yönerge\w*).{0,20}(?:yok say|unut|görmezden|dikkate alma)|bỏ qua.{0,30}(?:hướng dẫn|chỉ dẫn|chỉ thị|lệnh|quy tắc)"),
    (1.0, "忽略|无视|無視|忘|不要理会|무시|잊", r"(?:忽略|无视|無視|忘记|忘掉|不要理会).{0,12}(?:指令|指示|提示|规则|規則|命令|设定|要求)|(?:指示|命令|ルール|プロンプト|指令).{0,8}(?:無視|忘れ)|(?:지시|명령|규칙|프롬프트).{0,10}(?:무시|잊)"),
    (1.0, "تجاهل|انس|اهمل|अनदेख|भूल|नज़रअंदाज़", r"(?:تجاهل|انس[َى]?|اهمل).{0,30}(?:التعليمات|الأوامر|القواعد|الإرشادات|تعليمات)|(?:निर्देश\w*|नियम\w*|आदेश\w*).{0,20}(?:अनदेखा|भूल|नज़रअंदाज़|अनदेखी)"),
    (1.0, "prompt|systemanweisung|системн|系统提示|システムプロンプト|시스템", r"(?:system-?prompt|systemanweisung\w*|prompt (?:système|del sistema|do sistema|di sistema)|системн\w+ (?:промпт|инструкц\w+)|系统提示|システムプロンプト|시스템 프롬프트).{0,40}(?:zeig|ausgeb|verrat|anzeig|nenn|montre|affiche|révèle|muestra|revela|mostra|mostre|покажи|выведи|раскрой|显示|告诉|输出|教え|表示|보여|알려)|(?:zeig\w*|nenn\w*|verrat\w*|gib|montre|affiche|révèle|muéstra\w*|muestra|revela|mostra|mostre|покажи|выведи|раскрой|显示|告诉|输出|打印).{0,40}(?:system-?prompt|systemanweisung\w*|prompt (?:système|del sistema|do sistema|di sistema)|системн\w+ (?:промпт|инструкц\w+)|系统提示)"),
)  # fmt: skip
