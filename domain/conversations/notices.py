"""What a customer reads while nobody can answer, in the languages that the extractive model knows too.

Not for turns that failed: see `explanations.py`.
"""

# ruff: noqa: RUF001 - other languages have other letters

from typing import Final

NOTICE: Final[dict[str, str]] = {
    "en": "I cannot answer right now, because a service that I need does not respond. Your question is kept, and my "
    "answer will come here by itself.",
    "de": "Ich kann gerade nicht antworten, weil ein Dienst, den ich brauche, nicht erreichbar ist. Ihre Frage ist "
    "gespeichert, und meine Antwort kommt hier von selbst.",
    "fr": "Je ne peux pas répondre pour le moment, car un service dont j'ai besoin ne répond pas. Votre question est "
    "conservée et ma réponse arrivera ici d'elle-même.",
    "es": "Ahora mismo no puedo responder porque un servicio que necesito no responde. Su pregunta está guardada y mi "
    "respuesta llegará aquí por sí sola.",
    "pt": "Neste momento não posso responder, porque um serviço de que preciso não responde. A sua pergunta está "
    "guardada e a minha resposta chegará aqui por si só.",
    "it": "In questo momento non posso rispondere, perché un servizio di cui ho bisogno non risponde. La sua domanda "
    "è conservata e la mia risposta arriverà qui da sola.",
    "nl": "Ik kan nu niet antwoorden, omdat een dienst die ik nodig heb niet reageert. Uw vraag is bewaard en mijn "
    "antwoord komt hier vanzelf.",
    "pl": "Nie mogę teraz odpowiedzieć, ponieważ usługa, której potrzebuję, nie działa. Pytanie zostało zachowane, a "
    "odpowiedź pojawi się tutaj sama.",
    "ru": "Сейчас я не могу ответить: нужная мне служба не отвечает. Ваш вопрос сохранён, и ответ появится здесь сам.",
    "uk": "Зараз я не можу відповісти: потрібна мені служба не відповідає. Ваше запитання збережено, і відповідь "
    "з'явиться тут сама.",
    "tr": "İhtiyacım olan bir hizmet yanıt vermediği için şu anda cevap veremiyorum. Sorunuz saklandı; cevabım "
    "buraya kendiliğinden gelecek.",
    "ar": "لا أستطيع الإجابة الآن لأن خدمة أحتاج إليها لا تستجيب. سؤالك محفوظ، وستصل إجابتي هنا تلقائيًا.",
    "hi": "मैं अभी उत्तर नहीं दे सकता, क्योंकि जिस सेवा की मुझे ज़रूरत है वह काम नहीं कर रही है। आपका प्रश्न सुरक्षित है और "
    "मेरा उत्तर यहाँ अपने आप आ जाएगा।",
    "zh": "我暂时无法回答，因为我需要的一项服务没有响应。您的问题已保留，答案会自动出现在这里。",
    "ja": "必要なサービスが応答しないため、今は回答できません。ご質問は保存されており、回答は自動的にここに届きます。",
    "ko": "필요한 서비스가 응답하지 않아 지금은 답변할 수 없습니다. 질문은 저장되었으며 답변은 여기에 "
    "자동으로 도착합니다.",
    "vi": "Hiện tôi chưa thể trả lời vì một dịch vụ tôi cần không phản hồi. Câu hỏi của bạn đã được lưu và câu trả "
    "lời sẽ tự đến đây.",
}

HANDOVER: Final[dict[str, str]] = {
    "en": "I am sorry: I still cannot answer. Your question has been passed on to a person.",
    "de": "Es tut mir leid: Ich kann noch immer nicht antworten. Ihre Frage wurde an einen Menschen weitergegeben.",
    "fr": "Je suis désolé : je ne peux toujours pas répondre. Votre question a été transmise à une personne.",
    "es": "Lo siento: sigo sin poder responder. Su pregunta se ha pasado a una persona.",
    "pt": "Lamento: continuo sem poder responder. A sua pergunta foi passada a uma pessoa.",
    "it": "Mi dispiace: non posso ancora rispondere. La sua domanda è stata passata a una persona.",
    "nl": "Het spijt me: ik kan nog steeds niet antwoorden. Uw vraag is aan een medewerker doorgegeven.",
    "pl": "Przepraszam: nadal nie mogę odpowiedzieć. Pytanie zostało przekazane człowiekowi.",
    "ru": "Извините: я всё ещё не могу ответить. Ваш вопрос передан человеку.",
    "uk": "Вибачте: я все ще не можу відповісти. Ваше запитання передано людині.",
    "tr": "Üzgünüm: Hâlâ cevap veremiyorum. Sorunuz bir kişiye iletildi.",
    "ar": "عذرًا، ما زلت غير قادر على الإجابة. تم تحويل سؤالك إلى شخص.",
    "hi": "क्षमा करें, मैं अब भी उत्तर नहीं दे सकता। आपका प्रश्न एक व्यक्ति को सौंप दिया गया है।",
    "zh": "抱歉，我仍然无法回答。您的问题已转交给人工处理。",
    "ja": "申し訳ありません。まだ回答できません。ご質問は担当者に引き継がれました。",
    "ko": "죄송합니다. 아직 답변할 수 없습니다. 질문이 담당자에게 전달되었습니다.",
    "vi": "Rất tiếc, tôi vẫn chưa thể trả lời. Câu hỏi của bạn đã được chuyển cho một người phụ trách.",
}
