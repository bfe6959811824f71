"""Estimates against the true counts of two vocabularies, and what messages cost besides their text."""
# ruff: noqa: RUF001 - texts in many scripts have letters that look like others

import re

import pytest

from . import module

tokens = module("protocol.tokens")
errors = module("protocol.errors")
estimate_tokens, count_tokens, vocabulary_of = tokens.estimate_tokens, tokens.count_tokens, tokens.vocabulary_of

# Name, true count in o200k_base, true count in cl100k_base (tiktoken 0.14.0), text.
# fmt: off
SAMPLES = [
    ("English", 141, 146, 'The lighthouse keeper had kept a diary for thirty-one years, and in all that time he had missed only two evenings. On the first, a storm tore the shutters off the north window and he spent the night holding a tarpaulin against the rain. On the second, his daughter was born. "You can\'t write about everything," he used to say, "but you can write about something every day." When the museum finally asked for the notebooks, there were forty-four of them: water-stained, tied with string, and so full of weather that the curator didn\'t know where to begin. She opened one at random. It said: "Calm. Two ships. Bread came out well."'),
    ("English, technical", 128, 130, "To rotate the credentials, first create a second access key, deploy it to every worker, and wait until the dashboard shows no more requests signed with the old one. Only then disable the old key; don't delete it yet. If authentication errors (HTTP 401 or 403) appear within the next hour, re-enable it and check which host was missed. Typical culprits are cron jobs, forgotten staging servers and long-running containers whose environment is read only at start-up. Timeouts, by contrast, are unrelated: see the section on connection pooling, and make sure that `max_connections` is at least twice the number of threads."),
    ("Python", 170, 167, 'def moving_average(values: list[float], window: int = 7) -> list[float]:\n    """Return the mean of each run of `window` neighbours."""\n    if window < 1 or window > len(values):\n        raise ValueError(f"window must lie between 1 and {len(values)}, got {window}")\n    total = sum(values[:window])\n    result = [total / window]\n    for index in range(window, len(values)):\n        total += values[index] - values[index - window]\n        result.append(total / window)\n    return result\n\n\nclass RingBuffer:\n    __slots__ = ("_items", "_next", "_size")\n\n    def __init__(self, size):\n        self._items = [None] * size\n        self._next = 0\n        self._size = size'),
    ("JavaScript", 165, 162, 'export async function fetchOrders(userId, { page = 1, perPage = 50 } = {}) {\n  const url = new URL(`/api/v2/users/${userId}/orders`, BASE_URL);\n  url.searchParams.set("page", page);\n  url.searchParams.set("per_page", perPage);\n  const response = await fetch(url, { headers: { Accept: "application/json" } });\n  if (!response.ok) throw new HttpError(response.status, await response.text());\n  const { items, nextCursor } = await response.json();\n  return items.filter((o) => o.state !== "CANCELLED").map((o) => ({ ...o, total: o.lines.reduce((s, l) => s + l.qty * l.unitPrice, 0) }));\n}'),
    ("C", 146, 144, "#include <stdint.h>\n#define MAX_NODES 4096u\n\nstatic int heap_push(struct heap *h, uint64_t key, void *payload)\n{\n\tsize_t i = h->len++;\n\tif (h->len > MAX_NODES)\n\t\treturn -ENOMEM;\n\twhile (i > 0 && h->node[(i - 1) / 2].key > key) {\n\t\th->node[i] = h->node[(i - 1) / 2];\n\t\ti = (i - 1) / 2;\n\t}\n\th->node[i].key = key;\n\th->node[i].payload = payload; /* ownership moves to the heap */\n\treturn 0;\n}"),
    ("SQL", 119, 119, "SELECT c.customer_id, c.full_name, COUNT(o.id) AS order_count, SUM(o.total_cents) / 100.0 AS revenue\nFROM customers AS c\nLEFT JOIN orders AS o ON o.customer_id = c.customer_id AND o.placed_at >= DATE '2025-01-01'\nWHERE c.country IN ('DE', 'AT', 'CH') AND c.deleted_at IS NULL\nGROUP BY c.customer_id, c.full_name\nHAVING COUNT(o.id) > 3\nORDER BY revenue DESC NULLS LAST\nLIMIT 25 OFFSET 50;"),
    ("HTML", 163, 164, '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Order #4711</title><link rel="stylesheet" href="/static/css/main.9f3c2a.css"></head>\n<body class="page page--order">\n  <nav aria-label="Main"><a href="/">Home</a> <a href="/orders?page=2&amp;sort=date">Orders</a></nav>\n  <table id="lines"><tr><th>Item</th><th>Qty</th></tr><tr><td data-sku="AX-1093">Lamp</td><td>2</td></tr></table>\n  <button type="submit" disabled onclick="pay(event)">Pay now</button>\n</body>\n</html>'),
    ("Markdown", 133, 133, "## Installing\n\n1. Get the archive from the **releases** page.\n2. Unpack it: `tar -xzf tool-1.4.2.tar.gz`\n3. Run `./configure --prefix=$HOME/.local && make -j8 install`\n\n| Option | Default | Meaning |\n|--------|---------|---------|\n| `--jobs` | 4 | how many files are read at once |\n| `--quiet` | off | print nothing but errors |\n\n> **Note:** see [the manual](https://example.org/docs/manual.html#options) for the rest.\n\n- [x] Linux\n- [ ] Windows"),
    ("LaTeX", 116, 117, "\\begin{equation}\\label{eq:loss}\n  \\mathcal{L}(\\theta) = -\\frac{1}{N}\\sum_{i=1}^{N} \\log p_\\theta\\left(y_i \\mid x_i\\right) + \\lambda \\lVert \\theta \\rVert_2^2\n\\end{equation}\nwhere $\\theta \\in \\mathbb{R}^d$ denotes the parameters and $\\lambda > 0$ the weight of the penalty, see~\\cite{bishop2006}."),
    ("JSON, compact", 140, 139, '{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,"model":"gpt-4.1-2025-04-14","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I help?","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0}},"service_tier":"default"}'),
    ("JSON, indented", 158, 160, '{\n  "name": "warehouse-sync",\n  "version": "2.3.0",\n  "private": true,\n  "schedule": {\n    "every": "15m",\n    "jitter_s": 30,\n    "days": ["mon", "tue", "wed", "thu", "fri"]\n  },\n  "targets": [\n    {\n      "host": "10.20.0.14",\n      "port": 5432,\n      "tls": true,\n      "weight": 0.75\n    },\n    {\n      "host": "10.20.0.15",\n      "port": 5432,\n      "tls": false,\n      "weight": 0.25\n    }\n  ]\n}'),
    ("log lines", 176, 177, "2025-11-21T08:14:03.127Z INFO  [worker-3] http.server: GET /v1/models 200 12ms 4096B 192.168.17.42\n2025-11-21T08:14:03.418Z WARN  [worker-1] db.pool: 18/20 connections in use (waited 250ms)\n2025-11-21T08:14:04.002Z ERROR [worker-7] jobs.resize: task_id=8f21c3 failed after 3 attempts: TimeoutError('read timed out')\nTraceback (most recent call last):\n  File \"/srv/app/jobs/resize.py\", line 88, in run\n    image = fetch(url, timeout=(5, 30))\nTimeoutError: read timed out"),
    ("digits, CSV", 218, 218, "2025-03-01,14.25,1013.2,67,0.0\n2025-03-02,13.80,1009.7,71,2.4\n2025-03-03,12.95,1001.3,84,11.8\n2025-03-04,11.10,998.6,90,23.5\n2025-03-05,12.40,1004.9,78,4.1\n2025-03-06,15.75,1012.0,63,0.0\n2025-03-07,16.30,1018.4,55,0.0\n2025-03-08,17.05,1020.1,52,0.0\n2025-03-09,16.85,1019.6,58,0.2\n2025-03-10,14.60,1011.3,69,1.9"),
    ("digits, long", 104, 104, "31415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170679 27182818284590452353602874713526624977572470936999595749669676277240766303535475945713821785251664274 14142135623730950488016887242096980785696718753769480731766797379907324784621070388503875343276415727"),
    ("digits, words between", 144, 144, "Invoice 2025-00481 of 12/03/2025: 14 x 3.99 = 55.86; 2 x 129.00 = 258.00; shipping 7.50; VAT 19% of 321.36 = 61.06; total 382.42 EUR, due 26/03/2025. Call +49 30 1234567 (08:30-17:00). IBAN DE89 3704 0044 0532 0130 00. Order 7730019, customer 100482, meter readings 0008812, 0009140, 0009377."),
    ("UUIDs and hashes", 172, 172, "f47ac10b-58cc-4372-a567-0e02b2c3d479 9b5ad71b2ce5302211f9c61530b329a4922fc6a4\n6ba7b810-9dad-11d1-80b4-00c04fd430c8 fb374d419588a4632f3f557e76b4b70aebbca790\nd41d8cd98f00b204e9800998ecf8427e 0x7ffd4a3c9b20 sha256:446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
    ("base64", 274, 285, "pU3KGCUwux1tEyze1iN7LtkeP3IfyxlxF0SU1kk8nVw0YL4xIB5p/tqg7ui5mX9cfCmZ/a/lkyU81lSvTfrXFCegrrP+6SMvivIhH57kkcWxC+y1Vjv8Hm+TQn7LyP4pVeXNjkbcjtS3wnZNKlpNdncG+F2GkAJK1r2jQBvpyMvMyTX2zR9hImrhUziuGjQATTO6DSRqwEyBsbryPjv57vX3nytJNK+H9VILablLDZguhbtVtnKocmN6zXRm/LYODo/xhGOw5LK6KXA0dPBkrGj3APWwKz3GZvRb3qosyu3NK1FXQQ5N7krys09DCgc0R95jbA6AbJV7poTWQx+16tdCTQnhXQJMWEjyPR+m9zYdf2GNFTLnDiDipmaN5/R+hGflRtU+yOKhJXvb"),
    ("upper case", 80, 77, "THIS SOFTWARE IS PROVIDED AS IT STANDS, AND NOBODY PROMISES THAT IT SERVES ANY PURPOSE OF YOURS. IN NO EVENT SHALL THE AUTHORS BE LIABLE FOR DAMAGES THAT FOLLOW FROM ITS USE, EVEN WHERE THEY KNEW OF THE POSSIBILITY. WARNING: DO NOT OPEN THE HOUSING WHILE THE MACHINE IS RUNNING. MAX_RETRY_COUNT, DEFAULT_TIMEOUT_SECONDS, HTTP_STATUS_CODES"),
    ("emoji", 70, 92, "Great game yesterday!!! 🎉🎉🎉 Can't believe we won 😂 See you on Saturday? 🏖️☀️ Bring snacks 🍕🍿 and the dog 🐕 ❤️ 👍🏽 👨‍👩‍👧‍👦 🇩🇪🇯🇵 ✅ done → next ⚠️ careful"),
    ("box drawing", 90, 92, "┌────────────┬──────────┐\n│ Name       │ Quantity │\n├────────────┼──────────┤\n│ Apples     │       12 │\n│ Pears      │        7 │\n└────────────┴──────────┘\n████████░░░░ 66 %  • first … second — third “quoted” ‘single’ €20 ±5° ≤ ≥ × ÷"),
    ("Chinese", 168, 248, "昨天下午，我和朋友去了城南的旧书市场。那里有上百个摊位，卖的都是别人读过的书：有小说、词典、菜谱，也有上世纪八十年代的课本。我花了二十块钱买到一本讲天文的小册子，里面夹着一张发黄的火车票。卖书的老人说，他收书三十年，最喜欢的不是书，而是书里留下的东西：信、照片、干了的花。回家的路上下起了雨，我们躲进一家小面馆，一边吃面一边翻书。朋友问我，如果将来没有人再看纸书了，这些摊位会变成什么样。我想了很久，没有回答。"),
    ("Chinese, technical", 131, 201, "机器学习模型的训练过程通常分为三个阶段：数据准备、参数优化和效果评估。首先需要清洗数据，去除重复样本，并把文本转换成模型能够处理的向量。其次，通过反向传播算法计算损失函数的梯度，再用随机梯度下降法更新权重。学习率过大会导致训练不稳定，过小则收敛缓慢。最后，在测试集上计算准确率、召回率等指标，判断模型是否出现过拟合。如果服务器返回错误代码429，说明请求过于频繁，应当等待几秒后重试。"),
    ("Chinese, traditional", 168, 260, "臺灣的夜市是當地生活文化的重要部分。每到傍晚，攤販們陸續推車就位，點亮燈泡，空氣中瀰漫著烤魷魚、蚵仔煎與臭豆腐的香味。遊客與居民擠在狹窄的巷弄裡，邊走邊吃，討價還價的聲音此起彼落。有些攤位傳承了三代，食譜從不寫下來，只靠口耳相傳。近年來，電子支付逐漸普及，年輕的老闆也開始在網路上經營粉絲專頁，讓傳統小吃被更多人看見。"),
    ("Japanese", 175, 226, "駅前の小さな喫茶店は、祖父の代から五十年以上続いている。朝六時になると、店主は豆を挽き、古い蓄音機に針を落とす。常連の客はだいたい決まっていて、新聞を読む人、編み物をする人、ただ窓の外を眺める人がいる。ある日、都会から来た若い女性が「ここで働かせてください」と頼んだ。店主はしばらく黙っていたが、やがてエプロンを差し出した。それから三年、メニューにはチーズケーキとハーブティーが加わり、店は少しだけにぎやかになった。"),
    ("Japanese, technical", 149, 211, "このライブラリをインストールするには、ターミナルで次のコマンドを実行してください。設定ファイルが見つからない場合は、エラーメッセージが表示されますので、環境変数を確認してから再度お試しください。サーバーへの接続がタイムアウトしたときは、プロキシの設定やファイアウォールのルールが原因である可能性があります。ログレベルをデバッグに変更すると、リクエストとレスポンスの詳細を確認できます。なお、バージョン2.0以降ではこの機能は非推奨となりました。"),
    ("Korean", 137, 240, "우리 동네에는 작은 도서관이 하나 있다. 주말이면 아이들이 바닥에 엎드려 만화책을 읽고, 할머니들은 창가에 앉아 돋보기를 쓰고 신문을 본다. 사서 선생님은 책을 추천할 때마다 쪽지를 끼워 두는데, 거기에는 그 책을 먼저 읽은 사람의 짧은 감상이 적혀 있다. 지난달에는 서버 점검 때문에 검색 시스템이 멈췄지만, 아무도 불평하지 않았다. 모두가 천천히 책장 사이를 걸으며 원하는 책을 직접 찾았기 때문이다."),
    ("Russian", 148, 240, "Старый трамвай медленно поднимался в гору, и стёкла в нём дребезжали на каждом стыке. Напротив меня сидела женщина с корзиной яблок; она смотрела в окно и чему-то улыбалась. «Вы не подскажете, где здесь библиотека?» — спросил я. Она ответила не сразу, будто вспоминала: «Через две остановки, за аптекой, только сегодня выходной». Я всё равно вышел там, где она сказала. Библиотека действительно была закрыта, зато во дворе продавали подержанные книги, и я просидел на скамейке до самого вечера."),
    ("Russian, technical", 108, 180, "Для подключения к базе данных необходимо указать адрес сервера, порт, имя пользователя и пароль. Если соединение не устанавливается, проверьте настройки межсетевого экрана и убедитесь, что служба запущена. Резервное копирование рекомендуется выполнять ежедневно; восстановление из архива занимает от десяти до тридцати минут в зависимости от объёма. При превышении лимита запросов сервер возвращает код 429, и клиент обязан выждать указанный интервал перед повторной отправкой."),
    ("Ukrainian", 133, 212, "Щоранку пекар відчиняв крамницю ще до світанку, і запах свіжого хліба розходився вулицею. Першими приходили двірники, потім учителька музики, яка завжди брала дві булочки з маком. Узимку, коли замерзали шибки, діти малювали на них пальцями звірів і кораблі. Ніхто вже не пам'ятав, хто саме повісив над дверима дзвоник, але кожен упізнав би його голос серед сотні інших."),
    ("Hindi", 132, 414, 'गाँव के बीच में एक पुराना कुआँ था, जिसके चारों ओर नीम के पेड़ लगे थे। हर शाम बच्चे वहाँ खेलने आते और बूढ़े लोग चारपाई पर बैठकर पुराने दिनों की बातें करते। एक दिन शहर से एक अध्यापिका आई और उसने पूछा, "क्या यहाँ कोई पुस्तकालय है?" सब हँस पड़े, लेकिन रामू काका चुपचाप उठे और अपने घर से तीन किताबें ले आए। उन्होंने कहा, "शुरुआत तो यहीं से हो सकती है।" अगले साल तक उस छोटे से कमरे में दो सौ से ज़्यादा किताबें थीं।'),
    ("Hindi, technical", 94, 328, "कंप्यूटर को पुनः आरंभ करने के बाद यदि समस्या बनी रहती है, तो कृपया अपने इंटरनेट कनेक्शन की जाँच करें। सॉफ़्टवेयर का नवीनतम संस्करण आधिकारिक वेबसाइट से डाउनलोड किया जा सकता है। पासवर्ड में कम से कम आठ अक्षर, एक संख्या और एक विशेष चिह्न होना आवश्यक है। सर्वर की क्षमता सीमित होने के कारण प्रति मिनट केवल 60 अनुरोध स्वीकार किए जाते हैं।"),
    ("Arabic", 130, 297, "في طرف المدينة القديمة كان هناك دكّان صغير لإصلاح الساعات. كان صاحبه، الحاج سليم، يعرف كل زبون باسمه، ويقول دائماً إن الساعة المعطلة تكون صحيحة مرتين في اليوم. ذات صباح دخلت فتاة تحمل ساعة جدّها، وسألته: «هل يمكن أن تعمل من جديد؟» نظر إليها طويلاً ثم ابتسم وقال: «كل شيء يعود إذا صبرنا عليه». بعد أسبوعين رجعت الفتاة، فوجدت الساعة تدقّ بصوت هادئ، وإلى جانبها ورقة كتب عليها: لا أريد أجراً."),
    ("Arabic, technical", 106, 257, "لتثبيت البرنامج على جهازك، يجب أولاً تنزيل الملف من الموقع الرسمي ثم تشغيله بصلاحيات المسؤول. إذا ظهرت رسالة خطأ أثناء الاتصال بالخادم، فتحقق من إعدادات الشبكة وجدار الحماية. يدعم النظام النسخ الاحتياطي التلقائي للبيانات كل أربع وعشرين ساعة، ويمكن للمستخدمين استرجاع الملفات المحذوفة خلال 30 يوماً. تتطلب واجهة البرمجة مفتاحاً سرياً لا ينبغي مشاركته مع أحد."),
    ("Persian", 115, 230, "هر روز صبح، پیرمرد باغبان با دوچرخه‌ای آبی به پارک می‌آمد و گل‌ها را آب می‌داد. بچه‌ها او را دوست داشتند، چون برای هر درخت داستانی می‌گفت. یک بار پرسیدم: «این درخت چند ساله است؟» گفت: «هم‌سن پدربزرگ تو، اما حافظه‌اش بهتر است.» حالا که او نیست، هنوز کسی هر صبح زودتر از همه می‌آید و شیر آب را باز می‌کند."),
    ("Hebrew", 110, 288, 'בקצה הרחוב עמדה מכולת קטנה שבה היה אפשר לקנות הכול: לחם, נרות, מחברות וסוכריות על מקל. בעל החנות רשם את החובות בפנקס ירוק, ואף פעם לא ביקש ריבית. כשהגיע הסופרמרקט הגדול, השכנים חששו שהמכולת תיסגר, אבל דווקא אז התחילו לבוא אליה יותר אנשים. "שם יש מבצעים," אמרה אמא שלי, "וכאן יודעים איך קוראים לי."'),
    ("Greek", 133, 303, "Το μικρό καΐκι έφευγε κάθε πρωί από το λιμάνι πριν ακόμα φωτίσει η μέρα. Ο καπετάνιος ήξερε κάθε βράχο και κάθε ρεύμα, και δεν χρειαζόταν χάρτες. Μια φορά πήρε μαζί του δύο φοιτητές που ήθελαν να μετρήσουν τη θερμοκρασία του νερού. «Εγώ», τους είπε γελώντας, «τη μετράω με το χέρι». Στο τέλος της ημέρας οι μετρήσεις συμφωνούσαν σχεδόν απόλυτα."),
    ("Thai", 119, 261, "ตลาดน้ำแห่งนี้เปิดตั้งแต่เช้ามืด พ่อค้าแม่ค้าพายเรือมาขายผลไม้ ขนมหวาน และก๋วยเตี๋ยวร้อนๆ นักท่องเที่ยวมักจะมาถึงประมาณแปดโมงเช้า แต่คนในท้องถิ่นรู้ดีว่าของดีที่สุดจะหมดก่อนหกโมง คุณยายที่ขายกล้วยทอดบอกว่า เธอพายเรือลำเดิมมาสี่สิบปีแล้ว และไม่เคยคิดจะเปลี่ยนไปทำอย่างอื่นเลย"),
    ("German", 112, 135, "Die Straßenbahn hielt an diesem Morgen länger als sonst, weil ein Dackel auf den Schienen saß und sich weigerte aufzustehen. Der Fahrer stieg aus, redete ihm gut zu, bot ihm schließlich sein Leberwurstbrot an und entschuldigte sich über Lautsprecher für die Verspätung. Niemand beschwerte sich. Eine ältere Dame holte ihr Strickzeug hervor, zwei Schüler verglichen noch schnell ihre Hausaufgaben, und der Versicherungsangestellte gegenüber lächelte zum ersten Mal seit Wochen."),
    ("French", 115, 138, "Le boulanger du coin n'ouvre jamais à l'heure, mais personne ne lui en veut : ses croissants valent bien quelques minutes d'attente. Ce matin-là, une élève déguisée en astronaute était déjà devant la porte, car elle fêtait l'anniversaire de sa maîtresse. « Qu'est-ce qu'on mange sur la Lune ? » lui demanda-t-il très sérieusement. Elle réfléchit, puis répondit qu'il n'y avait là-haut que du fromage, évidemment, et qu'il faudrait donc apporter le pain."),
    ("Spanish", 106, 129, "El viejo afinador de pianos recorría los pueblos de la sierra en una furgoneta verde. Cobraba poco y aceptaba huevos, miel o conversación. Decía que cada piano tiene su carácter, y que los que nadie toca se vuelven tímidos. Una mañana llegó a una escuela donde el instrumento llevaba veinte años cerrado; al abrirlo encontró un nido de ratones, tres canicas y una carta de amor sin firmar. ¿Qué hizo? Afinó lo demás, por supuesto."),
    ("Polish", 146, 167, "Na strychu starej kamienicy znaleźliśmy skrzynię pełną listów i pocztówek sprzed wojny. Większość była napisana drobnym, pochyłym pismem, tak że odczytywanie każdej strony zajmowało nam cały wieczór. Najdłuższy list opisywał podróż koleją przez góry: śnieżycę, zepsuty parowóz i gospodarza, który przyjął wszystkich pasażerów na noc. Dziś w tym miejscu stoi niewielka gospoda, a właściciel twierdzi, że jest jego prawnukiem."),
    ("Turkish", 117, 151, 'Mahallenin en eski terzisi, dükkânını her sabah aynı şarkıyı mırıldanarak açardı. Müşterilerinin çoğunu çocukluğundan beri tanır, kimin hangi düğünde ne giydiğini hatırlardı. Geçen yıl gözleri zayıflayınca torunu yardıma geldi; artık ölçüleri o alıyor, ama kumaşı hâlâ dede seçiyor. "Makine dikişi güzeldir," diyor, "fakat sabrı öğretmez."'),
    ("Vietnamese", 107, 168, "Mỗi buổi sáng, bà cụ bán xôi ở đầu ngõ dậy từ ba giờ để nấu nếp và rang lạc. Đến khi trời sáng, mùi thơm đã lan khắp con phố nhỏ. Học sinh, công nhân và cả những người chạy xe ôm đều dừng lại mua một gói xôi nóng bọc trong lá chuối. Bà nhớ ai thích nhiều hành, ai không ăn được đậu phộng, và chẳng bao giờ cân sai một lần nào."),
]
# fmt: on
FAMILIES = [("o200k_base", 1, "gpt-4o"), ("cl100k_base", 2, "gpt-4")]


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample[0] for sample in SAMPLES])
@pytest.mark.parametrize("column, model", [row[1:] for row in FAMILIES], ids=[row[0] for row in FAMILIES])
def test_an_estimate_lies_near_the_true_count(sample, column, model):
    """At most 15 % below it and 60 % above it, in every script and kind of text, for either family."""
    assert 0.85 <= estimate_tokens(sample[3], model) / sample[column] <= 1.6


@pytest.mark.parametrize("column, model", [row[1:] for row in FAMILIES], ids=[row[0] for row in FAMILIES])
def test_estimates_err_upwards(column, model):
    """Over all texts together by 5 to 25 %: too short a history is better than a refused one."""
    total = sum(estimate_tokens(sample[3], model) for sample in SAMPLES)
    assert 1.05 <= total / sum(sample[column] for sample in SAMPLES) <= 1.25


def test_the_table_in_the_docstring_is_what_is_measured():
    """Every figure of it: true count, estimate and ratio, for either family."""
    row = re.compile(r"(\w[\w, ]*?) +(\d+) +(\d+) +(\d\.\d\d) +(\d+) +(\d+) +(\d\.\d\d)(?= |$)", re.MULTILINE)
    shown = {name: tuple(figures) for name, *figures in row.findall(tokens.__doc__)}
    measured = {}
    for name, o200k, cl100k, text in SAMPLES:
        new, old = estimate_tokens(text), estimate_tokens(text, "gpt-4")
        ratios = f"{new / o200k:.2f}", f"{old / cl100k:.2f}"
        measured[name] = (str(o200k), str(new), ratios[0], str(cl100k), str(old), ratios[1])
    assert len(shown) == 22
    assert shown == {name: measured[name] for name in shown}


SHORT = [
    ("nothing", "", 0),
    ("a word", "Hello", 1),
    ("a sentence", "How many tokens is this?", 6),
    ("a long word in pieces", "internationalization", 4),
    ("camelCase by its humps", "parseHttpResponse", 4),
    ("a shortened word", "don't", 2),
    ("digits by three", "1234567", 3),
    ("the space before a number", "a 1", 3),
    ("a line of dashes", "-" * 60, 1),
    ("an indented line", "a:\n        b", 4),
    ("half a surrogate pair", "\ud83d", 1),
]


@pytest.mark.parametrize("text, expected", [row[1:] for row in SHORT], ids=[row[0] for row in SHORT])
def test_short_texts(text, expected):
    """What the pieces of the pattern do, one by one."""
    assert estimate_tokens(text) == expected


RUNS = [
    ("spaces", " "),
    ("tabs", "\t"),
    ("ends of lines", "\n"),
    ("mixed blanks", " \t \n"),
    ("a letter", "a"),
    ("quotes", "'"),
]


@pytest.mark.parametrize("piece", [row[1] for row in RUNS], ids=[row[0] for row in RUNS])
def test_long_runs_grow_evenly(piece):
    """A pattern that looked back or ahead without bound would take hours for a million characters."""
    count = 1_000_000 // len(piece)
    few, many = estimate_tokens(piece * 10_000), estimate_tokens(piece * count)
    assert 0.9 < many / (few * count / 10_000) < 1.1


VOCABULARIES = [
    ("gpt-4o", "o200k_base"),
    ("gpt-4o-mini-2024-07-18", "o200k_base"),
    ("GPT-4O", "o200k_base"),
    ("chatgpt-4o-latest", "o200k_base"),
    ("gpt-4.1-nano", "o200k_base"),
    ("gpt-5", "o200k_base"),
    ("gpt-5.4-mini", "o200k_base"),
    ("gpt-oss-120b", "o200k_base"),
    ("o1", "o200k_base"),
    ("o3-mini", "o200k_base"),
    ("o4-mini-2025-04-16", "o200k_base"),
    ("ft:gpt-4.1-mini:org::id", "o200k_base"),
    ("ft:gpt-4o:org::id", "o200k_base"),
    ("openrouter/openai/gpt-4o", "o200k_base"),
    ("openai.gpt-oss-20b-1:0", "o200k_base"),
    ("o200k_base", "o200k_base"),
    ("gpt-4", "cl100k_base"),
    ("gpt-4-turbo-2024-04-09", "cl100k_base"),
    ("gpt-4-32k", "cl100k_base"),
    ("ft:gpt-4:org::id", "cl100k_base"),
    ("gpt-3.5-turbo", "cl100k_base"),
    ("gpt-35-turbo-16k", "cl100k_base"),
    ("ft:gpt-3.5-turbo-0125:org::id", "cl100k_base"),
    ("text-embedding-3-small", "cl100k_base"),
    ("text-embedding-ada-002", "cl100k_base"),
    ("cl100k_base", "cl100k_base"),
    ("gpt-6-sol", None),
    ("gpt-4.9", None),
    ("o10", None),
    ("o1mini", None),
    ("claude-sonnet-5", None),
    ("llama-3.3-70b", None),
    ("my-gpt-4o", None),
    ("", None),
]


@pytest.mark.parametrize("model, expected", VOCABULARIES, ids=[row[0] or "no name" for row in VOCABULARIES])
def test_the_vocabulary_of_a_model(model, expected):
    """By its name: with a date, a route, as a fine-tuned one; never by a guess."""
    assert vocabulary_of(model) == expected


def test_an_unknown_model_is_estimated_as_a_recent_one():
    """An estimate for a server's own model is better than none."""
    text = SAMPLES[0][3]
    assert estimate_tokens(text, "qwen3:8b") == estimate_tokens(text, "gpt-4o")


# ---- messages


def words(text):
    """An encoder whose tokens can be counted by eye."""
    return text.split()


CALL = {"id": "call_1", "type": "function", "function": {"name": "add numbers", "arguments": '{"a": 1, "b": 2}'}}
MESSAGES = [
    ("no message", [], 3),
    ("a user's", [{"role": "user", "content": "one two three"}], 3 + 3 + 1 + 3),
    ("a single dict", {"role": "user", "content": "one two three"}, 3 + 3 + 1 + 3),
    ("any iterable", iter([{"role": "user", "content": "one"}]), 3 + 3 + 1 + 1),
    (
        "two",
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        3 + (3 + 1 + 2) + (3 + 1 + 1),
    ),
    ("with a name", [{"role": "user", "name": "Ada", "content": "hi"}], 3 + 3 + 1 + 1 + (1 + 1)),
    ("without content", [{"role": "assistant", "content": None}], 3 + 3 + 1),
    ("a refusal", [{"role": "assistant", "content": None, "refusal": "I cannot"}], 3 + 3 + 1 + 2),
    (
        "text parts",
        [{"role": "user", "content": [{"type": "text", "text": "one two"}, {"type": "text", "text": "three"}]}],
        3 + 3 + 1 + 3,
    ),
    ("a part that is a plain text", [{"role": "user", "content": ["one two"]}], 3 + 3 + 1 + 2),
    (
        "a refusal as a part",
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "I cannot"}]}],
        3 + 3 + 1 + 2,
    ),
    ("a tool call", [{"role": "assistant", "content": None, "tool_calls": [CALL]}], 3 + 3 + 1 + (8 + 2 + 4)),
    ("two tool calls", [{"role": "assistant", "tool_calls": [CALL, CALL]}], 3 + 3 + 1 + 2 * (8 + 2 + 4)),
    (
        "arguments that are no text",
        [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}],
        3 + 3 + 1 + (8 + 1 + 2),
    ),
    (
        "a call without arguments",
        [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}],
        3 + 3 + 1 + (8 + 1 + 1),
    ),
    (
        "a custom tool's call",
        [{"role": "assistant", "tool_calls": [{"custom": {"name": "f", "input": "one two"}}]}],
        3 + 3 + 1 + (8 + 1 + 2),
    ),
    (
        "a call of 2023",
        [{"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}],
        3 + 3 + 1 + (8 + 1 + 1),
    ),
    ("a tool's answer", [{"role": "tool", "tool_call_id": "call_1", "content": "3 apples"}], 3 + 3 + 1 + 2),
]


@pytest.mark.parametrize("messages, expected", [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES])
def test_messages_are_counted_by_the_published_rule(messages, expected):
    """3 to begin the reply; for each message 3, its role, its content; 1 for a name besides the name."""
    assert count_tokens(messages, words) == expected


def test_text_alone_has_nothing_around_it():
    """A str is a text, not a user message."""
    assert count_tokens("one two", words) == 2
    assert estimate_tokens("one two") == 2


def test_an_estimate_of_messages_follows_the_same_rule():
    """Hello from a user has 8 tokens in truth, with any model of either family."""
    assert estimate_tokens([{"role": "user", "content": "Hello"}]) == 8
    assert estimate_tokens([{"role": "user", "content": "Hello"}], "gpt-4") == 8


def test_estimates_add_up():
    """What a message adds is the same wherever it stands, so that trimming may count each once."""
    messages = [{"role": "user", "content": sample[3]} for sample in SAMPLES]
    nothing = estimate_tokens([])
    for model in ("gpt-4o", "gpt-4"):
        parts = sum(estimate_tokens([message], model) - nothing for message in messages)
        assert estimate_tokens(messages, model) == nothing + parts


def test_nothing_given_is_changed():
    """Counting looks only."""
    messages = [{"role": "assistant", "content": [{"type": "text", "text": "a"}], "tool_calls": [CALL]}]
    before = repr(messages)
    estimate_tokens(messages)
    count_tokens(messages, words)
    assert repr(messages) == before


def image(**more):
    return {"type": "image_url", "image_url": {"url": "https://example.org/a.png", **more}}


def audio(characters, kind):
    return {"type": "input_audio", "input_audio": {"data": "A" * characters, "format": kind}}


PARTS = [
    ("an image", image(), "gpt-4o", 765),
    ("an image in high detail", image(detail="high"), "gpt-4o", 765),
    ("an image in low detail", image(detail="low"), "gpt-4o", 85),
    ("an image for gpt-4o-mini, which counts them many times", image(), "gpt-4o-mini", 25501),
    ("an image in low detail, gpt-4o-mini", image(detail="low"), "openai/gpt-4o-mini-2024-07-18", 2833),
    ("an image, another mini", image(), "gpt-4.1-mini", 1762),
    ("an image, a nano", image(detail="low"), "gpt-5-nano", 2520),
    (
        "an image given as a bare address",
        {"type": "image_url", "image_url": "https://example.org/a.png"},
        "gpt-4o",
        765,
    ),
    ("ten seconds of sound at 16 kHz", audio(426_668, "wav"), "gpt-4o", 107),
    ("ten seconds of mp3 at 64 kbit/s", audio(106_668, "mp3"), "gpt-4o", 107),
    ("sound without data", {"type": "input_audio", "input_audio": None}, "gpt-4o", 0),
    ("a file", {"type": "file", "file": {"file_id": "file-1"}}, "gpt-4o", 2000),
    ("what nobody knows yet", {"type": "smell", "smell": {}}, "gpt-4o", 1000),
    ("a new kind with a text", {"type": "input_text", "text": "Hello"}, "gpt-4o", 1),
]


@pytest.mark.parametrize("part, model, expected", [row[1:] for row in PARTS], ids=[row[0] for row in PARTS])
def test_parts_that_are_no_text_have_a_stated_figure(part, model, expected):
    """Images by the published figures for 1024 x 1024 pixels, sound by its length, the rest by a guess."""
    with_part = estimate_tokens([{"role": "user", "content": [part]}], model)
    assert with_part - estimate_tokens([{"role": "user", "content": []}], model) == expected


@pytest.mark.parametrize("part", [row[1] for row in PARTS[:-1]], ids=[row[0] for row in PARTS[:-1]])
def test_an_exact_count_refuses_what_it_cannot_count(part):
    """A guess is not exact; the error says where the part is and what to do."""
    with pytest.raises(
        errors.PayloadError, match=r"messages\[1\]\.content\[1\] is of type .* estimate_tokens"
    ) as caught:
        count_tokens([{"role": "system", "content": "a"}, {"role": "user", "content": ["b", part]}], words)
    assert caught.value.path == "messages[1].content[1]"


WRONG = [
    ("bytes", b"text", "messages must be a text, a dict or a list of dicts .* got bytes"),
    ("a number", 5, "messages must be .* got int"),
    ("a list of texts", ["text"], r"messages\[0\] must be a dict .* got str"),
    (
        "content that is a number",
        [{"role": "user", "content": 5}],
        r"messages\[0\]\.content must be a text or a list, got int",
    ),
    (
        "content that is a dict",
        [{"role": "user", "content": {"type": "text"}}],
        r"messages\[0\]\.content must be a text or a list, got dict",
    ),
    (
        "a part that is a number",
        [{"role": "user", "content": ["a", 5]}],
        r"messages\[0\]\.content\[1\] must be a dict, got int",
    ),
]


@pytest.mark.parametrize("messages, expected", [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_no_message_is_refused(messages, expected):
    """With the path to it, by either way of counting."""
    with pytest.raises(errors.PayloadError, match=expected):
        estimate_tokens(messages)
    with pytest.raises(errors.PayloadError, match=expected):
        count_tokens(messages, words)


# ---- tools

FIND_TRAIN = {
    "type": "function",
    "function": {
        "name": "find_train",
        "description": "Look up the next trains between two stations",
        "parameters": {
            "type": "object",
            "properties": {
                "origin": {"type": "string", "description": "Name of the station where the journey begins"},
                "destination": {"type": "string", "description": "Name of the station where it ends"},
                "travel_class": {"type": "string", "enum": ["first", "second"], "description": "Class of the seat"},
                "passengers": {"type": "integer", "description": "How many people travel"},
            },
            "required": ["origin", "destination"],
            "additionalProperties": False,
        },
    },
}
BOOK_SEAT = {
    "type": "function",
    "function": {
        "name": "book_seat",
        "description": "Reserve a seat in a train that find_train returned",
        "parameters": {
            "type": "object",
            "properties": {
                "train_id": {"type": "string", "description": "The id of the train"},
                "window": {"type": "boolean", "description": "Whether the seat should be at a window"},
            },
            "required": ["train_id"],
        },
    },
}
# The true figures are the cookbook's rule for tools, which agrees with the API to the token, worked out with tiktoken.
TOOLS = [
    ("one, gpt-4o", [FIND_TRAIN], "gpt-4o", 88),
    ("two, gpt-4o", [FIND_TRAIN, BOOK_SEAT], "gpt-4o", 137),
    ("one, gpt-4", [FIND_TRAIN], "gpt-4", 91),
    ("two, gpt-4", [FIND_TRAIN, BOOK_SEAT], "gpt-4", 143),
]


@pytest.mark.parametrize("tools, model, true", [row[1:] for row in TOOLS], ids=[row[0] for row in TOOLS])
def test_tool_definitions_lie_near_the_true_count(tools, model, true):
    """They are part of the prompt, though not of its messages."""
    assert 0.85 <= estimate_tokens("", model, tools=tools) / true <= 1.6


def test_tools_add_to_the_messages():
    """No tools, no tokens; and any iterable of definitions will do."""
    messages = [{"role": "user", "content": "Hello"}]
    alone = estimate_tokens(messages)
    assert estimate_tokens(messages, tools=[]) == alone
    assert estimate_tokens(messages, tools=iter([BOOK_SEAT])) == alone + estimate_tokens("", tools=[BOOK_SEAT])


INNER = {"type": "string", "description": "a description of several words that have to be paid for"}
SCHEMAS = [
    ("a property", {"type": "object", "properties": {"a": INNER}}),
    (
        "a property of a property",
        {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": INNER}}}},
    ),
    ("items", {"type": "array", "items": INNER}),
    ("one of several", {"anyOf": [{"type": "null"}, INNER]}),
    ("a definition", {"$defs": {"a": INNER}}),
]


@pytest.mark.parametrize("schema", [row[1] for row in SCHEMAS], ids=[row[0] for row in SCHEMAS])
def test_what_is_described_inside_a_schema_counts(schema):
    """Nested schemas reach the prompt too."""
    bare = estimate_tokens("", tools=[{"function": {"name": "f", "parameters": {"type": "object"}}}])
    assert estimate_tokens("", tools=[{"function": {"name": "f", "parameters": schema}}]) >= bare + 11


def test_a_definition_of_2023_or_of_a_custom_tool_counts_too():
    """The outer layer may be absent, or be named custom."""
    told = {"name": "shout", "description": "Says it loudly"}
    figures = {
        estimate_tokens("", tools=[tool])
        for tool in (told, {"type": "custom", "custom": told}, {"type": "function", "function": told})
    }
    assert len(figures) == 1
    assert figures.pop() > 12 + 7
