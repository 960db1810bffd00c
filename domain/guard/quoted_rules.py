"""Signs of an order in a quoted text, for quoted.py: a weight, words of which one must occur, and the pattern.

Beside the rules of injection_rules.py. A document may tell its reader to do things; it has no business with
how an agent words its answer, with the agent's task, or with sending the customer's things elsewhere.
"""

# ruff: noqa: E501, RUF001 - a pattern is read whole, in one line

_ANSWER = r"your (?:own |next |final |whole |entire )?(?:response|reply|answer)\b(?! (?:code|time|header|card|object|must|should)s?\b)"
_ANSWER_WORDS = "your response|your reply|your answer|your own |your next |your final |your whole |your entire "
_ON = r"(?:[^.!?]|[.!?](?=[\w\"'”’)\]/])){0,200}"
"""Up to a place in the same sentence: the point in a name or a quotation does not end it."""
_SHAPE = r"(?:includ|add|append|prepend|insert|integrat|incorporat|embed|mention|modif|augment|enhanc|enrich|chang|replac|rearrang|scrambl|jumbl|misspell|remov|group|combin|convert|provid|render|present|deliver|encod|encrypt|us|substitut|introduc|anagram|translat|format|end|start|begin|prefix|prefac|conclud|clos|craft|phras|revers|omit|weav|infus|sprinkl|limit|finish|swap|mask|obfuscat|express|suffix|expand|alter|adapt|writ|giv|mak|put|merg|blend|shift|appl|inject|emphasi[sz]|highlight|promot|suggest|recommend|hint|structur|generat)(?:e|y|s|d|ed|ing)?"
_CODE = r"(?:the |this )?(?:following|subsequent|below|given) (?:\w+ )?(?:code (?:\w+ )?(?:block|snippet|section|excerpt|segment|fragment)|(?:block|snippet|section|excerpt|segment|fragment) of code)"
_PRIVATE = r"(?:messages|e-?mails|conversations?|chat history|chats?|passwords?|api keys?|credentials?|secrets?|security codes?|(?:verification|login|access|one-time) codes?|(?:customer|user|personal|account) (?:data|details)|address book|contacts|files|documents|tokens|transactions)"
_PLACE_WORDS = "@|http|www."
ORDERED = r"(?=[acefhilmnopstuwx])(?:(?<!.)|(?<=[.!?:;\"*>,])|(?<=[.!?:;\"*>,] )|(?<=please )|(?<=then )|(?<=and )|(?<=must )|(?<=first )|(?<=should ))"
"""Before a verb that gives an order, not one that tells what somebody does. Where a text is looked at as a whole, its
line breaks are gone: leave this out there."""
_PLACE = r"(?:[\w.+-]+@[\w-]+\.\w+|https?://|www\.\w)"
_MACHINE = r"(?:ai|a\.i\.|llm|chat ?bot|bot|language model|ai model|ai assistant|ai agent|virtual assistant|digital assistant|assistant)"

QUOTED_RULES: tuple[tuple[float, str, str], ...] = (
    # Orders about the answer's form or what it is to smuggle in.
    (1.0, _ANSWER_WORDS, rf"\b{_SHAPE}\b(?!(?: \w+){{0,3}} your (?:\w+ )?(?:name|number|id|address|account|details|phone)){_ON}\b(?:in|into|to|from|of|with|within|for|before|after|by|as part of|through|across|throughout) {_ANSWER}"),
    (1.0, _ANSWER_WORDS, rf"\b(?:modify|augment|enhance|alter|adapt|enrich|rewrite|scramble|reverse|encode|encrypt|translate|render|deliver|present|end|start|begin|finish|prefix|preface|conclude|provide|give|structure|format|craft|phrase|write|expand|convert|jumble|mask|group|limit|shift|reply|respond|answer) {_ANSWER}"),
    (1.0, _ANSWER_WORDS, rf"{ORDERED}\b(?:and |please |then |also )?(?:in|throughout|within|at the (?:end|start|beginning) of|before|after|for) {_ANSWER},? (?!you\b|we\b|i\b)\w+"),
    (1.0, "your message|your output", r"\b(?:render|deliver|provide|write|encode|scramble|jumble|misspell|modify|substitute|group|remove)\b[^.!?]{0,80}\byour (?:message|output)(?:'s)? (?:using|in|with|without|by)\b[^.!?]{0,40}\b(?:substitution|letters?|words|spaces?|vowels?|anagrams?|misspell\w+|numbers|symbols)\b"),
    (0.6, _ANSWER_WORDS + "|your message|your output", r"\b(?:letters?|vowels?|consonants?|spaces?|spelling|every \w+ word|words?)\b[^.!?]{0,60}\byour (?:response|reply|answer|message|output)(?:'s)?\b"),
    (0.6, "replace|substitut|scrambl|misspell|anagram|jumbl|typo", r"\b(?:replace|substitute|scramble|misspell|anagram|jumble|introduce)\b[^.!?]{0,40}\b(?:letters?|vowels?|consonants?|every \w+ (?:word|letter)|typos?)\b"),
    (0.4, "letter|vowel|word|symbol", r"\b(?:every (?:second|third|fourth|fifth|other|\d\w+) (?:letter|word|character)|(?:its|their) (?:position|order|number)|following symbols|a ?= ?1|@ for a)\b"),
    (1.0, "respond only|answer only|reply only|only respond|only answer|only reply|respond exclusively|always answer|always respond|always reply|instead of answering", r"\b(?:(?:respond|answer|reply) (?:only|exclusively)|(?:only|always|exclusively) (?:respond|answer|reply))\b(?: to (?:this|any|every|all|the)(?: \w+){1,3})? (?:with|in|that|by saying|using)\b|\binstead of answering\b"),
    # Code to be slipped into what the agent writes.
    (1.0, "code", rf"{_CODE}[^.!?`]{{0,80}}\b(?:your|the) (?:\w+ ){{0,2}}(?:response|reply|answer|solution|implementation|codebase|elucidation|algorithm|solution architecture)\b"),
    (1.0, "code", rf"\byour (?:code|codebase|implementation|solution|response|answer|algorithm)\b[^.!?`]{{0,80}}{_CODE}"),
    (1.0, "code", rf"\b(?:meld|fuse|weave|interweave|blend|infuse|merge|harmoni[sz]e|assimilate|absorb|embed|imbue|enrich|fortify|inject|incorporate|enlist|deploy|ensure the \w+ of|don't (?:hesitate|forget) to|keep in mind to)\b[^.!?`]{{0,60}}{_CODE}"),
    # Talking to the machine that reads.
    (1.0, "to ai|for ai|the ai|any ai|all ai|every ai|llm|the assistant|the chatbot|the chat bot|language model|the bot|to bots|for bots|virtual assistant|digital assistant", rf"\b(?:note|message|instructions?|attention|notice|memo|reminder|request|command)s? (?:to|for) (?:the |any |all |every )?{_MACHINE}s?\b(?: (?:reading|processing|that|who|which))?[^.!?]{{0,60}}[:,.!]"),
    (1.0, "if you are a|if you're a", rf"\bif you(?:'re| are) an? (?:\w+ )?{_MACHINE}\b"),
    (1.0, "ai,|ai:|ai!|ai.|ai ,|llm,|llm:|llm!|bot,|bot:|bot!|assistant,|assistant:|assistant!|model,|model:|model!|assistants,|assistants:|models,|models:|agent,|agent:", rf"{ORDERED}(?<!\w)(?:dear|hey|hello|hi|attention|listen|ok(?:ay)?),? (?:all |any |the )?{_MACHINE}s?\b ?[,:!.]"),
    (1.0, "reading th|processing th|summarizing th|summarising th|analyzing th|analysing th|handling th|parsing th", rf"\b{_MACHINE}s? (?:reading|processing|summari[sz]ing|analy[sz]ing|handling|parsing) (?:this|the following|these)\b"),
    # Another task than the customer's.
    (1.0, "before you|before solving|before answering|before completing|before continuing", r"\bbefore (?:you )?(?:can |may |could )?(?:solv|answer|complet|continu|proceed|respond|finish|do)(?:e|ing)?\b[^.!?]{0,60}\b(?:task|question|request|user|query|anything else)\b[^.!?]{0,60}\b(?:do|perform|please|must|need|first|execute|complete|follow)\b"),
    (1.0, "important message", r"\bimportant (?:message|instructions?|notice) from (?:me|the user|your|the developer|the system|the admin)\b"),
    (1.0, "following instruction|following task|following command|following order", r"\b(?:strictly |instead,? |only )+(?:adhere to|follow|obey|execute|carry out|complete|perform|do) (?:only )?the following (?:instructions?|tasks?|commands?|orders?)(?: (?:first|instead|exactly|immediately|now))?\s*[:!]"),
    (1.0, "do the following", r"\bdo the following (?:task |things? |steps? )?(?:first|instead|immediately)\b"),
    (1.0, "your new |your real |your true |your actual |your next |your only |your first |your primary |your main |your sole |your current |your updated |task:|task :|tasks:|tasks :|instruction:|instructions:|instructions :|orders:|objective:|objectives:", r"\byour (?:new|real|true|actual|next|only|first|primary|main|sole|current|updated) (?:task|objective|goal|job|mission|instruction|priority|directive)s? (?:is|are|now)\b|\b(?:new|updated|additional|further|real|actual) (?:task|instructions?|orders|objective)s?(?: (?:for|to) (?:you|the assistant|the agent))? ?: ?\w"),
    (1.0, " you to", r"\b(?:the|this) (?:user|customer) (?:also |really |actually |now )?(?:wants|asked|asks|told|would like|needs|expects|instructed|authori[sz]ed|has (?:asked|authori[sz]ed|approved|instructed|told)) you to\b"),
    (1.0, "original |initial |user's |customer's |first ", r"\b(?:once|after|when) (?:you(?:'ve| have)? )?(?:do|did|done|doing|finish\w*|complet\w*|that|this)\b[^.!?]{0,50}\b(?:you (?:can|may)|then|continue|proceed|return)\b[^.!?]{0,40}\b(?:original|initial|user's|customer's|first) (?:task|request|question|instruction)"),
    (1.0, "tell|inform|mention|reveal|notify|alert|warn|ask|let ", r"\b(?:do not|don't|never|without)\b (?:\w+ ){0,2}?(?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?|reveal(?:ing)?|notify(?:ing)?|alert(?:ing)?|warn(?:ing)?|ask(?:ing)?)\b(?: (?:this|it|that|anything|any of this|about (?:this|it)))?(?: to)? (?:me|the (?:user|customer) (?:about (?:this|it)|that you|of this|anything|why))\b"),
    (0.6, "information>|system>|instruction>|important>|admin>|user>|task>", r"</?(?:information|system|instructions?|important|admin|user|task)>"),
    (0.6, "important|urgent|attention|critical", r"!{2,}|\b(?:important|urgent|attention|critical)(?: (?:instructions?|notice|message|update))?!+"),
    # Sending the customer's things elsewhere.
    (1.0, _PLACE_WORDS, rf"{ORDERED}\b(?:send|forward|e-?mail|post|upload|transmit|share|leak|copy|exfiltrate|concatenate|submit|append)\b.{{0,40}}\b(?:all|every|any|the (?:\w+ ){{0,4}}?(?:body|contents?|history|passwords?|codes?|keys?)|[a-z]+ (?=messages|e-?mails|from)|(?:my|his|her|their|the user's|the customer's|user|customer))\b.{{0,80}}\b{_PRIVATE}\b.{{0,160}}\b(?:to|at|via)\b.{{0,60}}?{_PLACE}"),
    (1.0, _PLACE_WORDS, rf"{ORDERED}\b(?:send|forward|e-?mail|post|upload) (?:the )?(?:body|contents?) of\b.{{0,120}}\bto\b.{{0,60}}?{_PLACE}"),
    (1.0, "transaction|payment|money|transfer|wire|$", rf"{ORDERED}\b(?:send|transfer|wire|make|schedule)\b[^.!?]{{0,60}}\b(?:transactions?|payments?|money|funds|transfer|amount|[$€£] ?\d+)\b.{{0,60}}\bto (?:(?:the )?(?:iban|account) )?(?:[a-z]{{2}}\d{{2}}[a-z0-9]{{8,}}|0x[0-9a-f]{{20,}})"),
)  # fmt: skip
