"""WeChat Pay (微信支付), merchant API v3: an adapter for one merchant account.

`client` is the adapter that speaks HTTP; all else takes values: `settings` and `account` (who we
are), `signing` (our signature), `trust` (theirs), `sealed` (what is encrypted), `asking` (what we
ask), `answers` (what came back) and `reading` (what it says). Sources: the API's documentation for
merchants, pay.weixin.qq.com/doc/v3/merchant.
"""
