"""WeChat Pay's merchant API v3 without WeChat: orders, payers, refunds and notices, on loopback.

It shares no code with the adapter that it tests. Sources: the API's documentation for merchants,
pay.weixin.qq.com/doc/v3/merchant; codes and messages are those that merchants are shown.
"""
