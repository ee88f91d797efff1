"""What real providers refuse calls with, by their documentation and public reports of bugs."""

from __future__ import annotations

from typing import Any, Final

from medvid.judging.calls import Cause, Failure


def openai_error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


def gemini(status: str, message: str, *details: dict[str, Any], code: int = 400) -> list[Any]:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return [{"error": error}]


def quota(*ids: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    return {"@type": kind, "violations": [{"quotaId": quota_id} for quota_id in ids]}


GEMINI_QUOTA: Final = "You exceeded your current quota, please check your plan and billing details."
PER_MINUTE: Final = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
PER_DAY: Final = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
SENTENCE: Final = "Your credit balance is too low to access the Anthropic API."
OVER_LIMIT: Final = "Rate limit reached for gpt-4.1 in organization org-x on "

# Who says it, status, body, what it means, for which cause.
REFUSALS: Final[list[tuple[str, int, Any, Failure, Cause | None]]] = [
    # keys
    ("openai", 401, openai_error("Incorrect API key provided: sk-..", code="invalid_api_key"),
     "unusable", "key"),
    ("gemini", 400, gemini("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
     {"reason": "API_KEY_INVALID"}), "unusable", "key"),
    ("gemini-expired", 400, gemini("INVALID_ARGUMENT", "API key expired. Please renew it."),
     "unusable", "key"),
    ("anthropic", 401, {"type": "error", "error": {"type": "authentication_error",
     "message": "invalid x-api-key"}}, "unusable", "key"),
    ("dashscope", 400, {"code": "InvalidApiKey", "message": "Invalid API-key provided."},
     "unusable", "key"),
    ("azure", 401, {"error": {"code": "401", "message": "Access denied due to invalid subscription "
     "key or wrong API endpoint."}}, "unusable", "key"),
    ("litellm", 400, openai_error("Authentication Error, LiteLLM Virtual Key expected.",
     type="auth_error", code="400"), "unusable", "key"),
    ("vllm", 401, {"error": "Unauthorized"}, "unusable", "key"),
    ("litellm-without-database", 400, openai_error("No connected db.", type="no_db_connection"),
     "unusable", "key"),
    ("gemini-leaked", 403, gemini("PERMISSION_DENIED", "Your API key was reported as leaked. "
     "Please use another API key.", code=403), "unusable", "key"),
    ("gemini-two", 400, gemini("INVALID_ARGUMENT", "Multiple authentication credentials received. "
     "Please pass only one."), "unusable", "key"),
    ("siliconflow", 401, '"Invalid token"', "unusable", "key"),
    ("mistral", 401, {"detail": "Unauthorized"}, "unusable", "key"),
    ("openrouter", 401, {"error": {"message": "No auth credentials found", "code": 401}},
     "unusable", "key"),
    ("a-proxy", 500, {"error": {"message": "Incorrect API key provided"}}, "unusable", "key"),
    # credit
    ("anthropic", 400, {"type": "error", "error": {"type": "invalid_request_error",
     "message": SENTENCE}}, "unusable", "credit"),
    ("deepseek", 402, openai_error("Insufficient Balance", type="unknown_error"),
     "unusable", "credit"),
    ("dashscope", 400, {"code": "Arrearage", "message": "Access denied, please make sure your "
     "account is in good standing."}, "unusable", "credit"),
    ("openrouter", 402, {"error": {"message": "This request requires more credits, or fewer "
     "max_tokens.", "code": 402}}, "unusable", "credit"),
    ("together", 402, openai_error("Credit limit exceeded"), "unusable", "credit"),
    ("fireworks", 412, openai_error("Account x is suspended, possibly due to failure to pay past "
     "invoices. Please go to https://fireworks.ai/account/billing"), "unusable", "credit"),
    ("siliconflow", 403, {"code": 30001, "message": "Sorry, your account balance is insufficient"},
     "unusable", "credit"),
    ("xai", 403, {"code": "The caller does not have permission to execute the specified operation",
     "error": "Your newly created team doesn't have any credits or licenses yet."},
     "unusable", "credit"),
    ("minimax-200", 200, {"choices": None, "base_resp": {"status_code": 1008,
     "status_msg": "insufficient balance"}}, "unusable", "credit"),
    ("any-code", 429, openai_error("You have no credits left.", type="rate_limit_error",
     code="rate_limit_exceeded"), "unusable", "credit"),
    ("zhipu", 429, {"error": {"code": "1113", "message": "您的账户已欠费"}},
     "unusable", "credit"),
    ("openai-billing", 429, openai_error("Your account is not active, please check your billing "
     "details on our website.", code="billing_not_active"), "unusable", "credit"),
    ("a-gateway", 403, {"error": {"message": "用户额度不足, 余额不足"}}, "unusable", "credit"),
    # quota
    ("openai", 429, openai_error(GEMINI_QUOTA, code="insufficient_quota"), "unusable", "quota"),
    ("openai-type", 429, {"error": {"type": "insufficient_quota", "code": None,
     "message": "exceeded your current quota"}}, "unusable", "quota"),
    ("openai-hard-limit", 400, openai_error("Billing hard limit has been reached",
     code="billing_hard_limit_reached"), "unusable", "credit"),
    ("openai-day", 429, openai_error(OVER_LIMIT + "requests per day (RPD): Limit 200, Used 200. "
     "Please try again in 7m12s.", code="rate_limit_exceeded"), "unusable", "quota"),
    ("groq-day", 429, openai_error(OVER_LIMIT + "tokens per day (TPD): Limit 100000. Please try "
     "again in 2m1s.", type="tokens", code="rate_limit_exceeded"), "unusable", "quota"),
    ("gemini-day", 429, gemini("RESOURCE_EXHAUSTED", GEMINI_QUOTA, quota(PER_MINUTE, PER_DAY)),
     "unusable", "quota"),
    ("gemini-none", 429, gemini("RESOURCE_EXHAUSTED", GEMINI_QUOTA + " limit: 0\nPlease retry in "
     "11.3s."), "unusable", "quota"),
    ("litellm-budget", 400, openai_error("Budget has been exceeded! Current cost: 1.0, Max budget: "
     "1.0", type="budget_exceeded"), "unusable", "quota"),
    ("mistral", 401, {"message": "Inactive subscription or usage limit reached"},
     "unusable", "quota"),
    ("openrouter", 403, {"error": {"message": "Key limit exceeded (total limit)", "code": 403}},
     "unusable", "quota"),
    ("openrouter-day", 429, {"error": {"message": "Rate limit exceeded: free-models-per-day. Add "
     "10 credits to unlock 1000 free model requests per day", "code": 429}}, "unusable", "quota"),
    ("one-api", 403, openai_error("该令牌额度已用尽", type="new_api_error"), "unusable", "quota"),
    ("cerebras-day", 429, {"message": "Tokens per day limit exceeded - too many tokens processed.",
     "type": "too_many_tokens_error", "param": "quota", "code": "token_quota_exceeded"},
     "unusable", "quota"),
    ("xai", 429, {"code": "Some resource has been exhausted", "error": "Your team has either used "
     "all available credits or reached its monthly spending limit."}, "unusable", "quota"),
    ("litellm-deployment", 429, openai_error("No deployments available - crossed budget: Exceeded "
     "budget for deployment model_name: x: 925.0 >= 1d", type="internal_server_error", code="429"),
     "unusable", "quota"),
    ("dashscope-free", 403, {"code": "AllocationQuota.FreeTierOnly", "message": "The free tier of "
     "the model has been exhausted."}, "unusable", "quota"),
    # models
    ("openai", 404, openai_error("The model `gpt-9` does not exist or you do not have access to "
     "it.", code="model_not_found"), "unusable", "model"),
    ("deepseek", 400, openai_error("Model Not Exist", code="invalid_request_error"),
     "unusable", "model"),
    ("litellm", 400, openai_error("/chat/completions: Invalid model name passed in model=x. Call "
     "`/v1/models` to view available models for your key.", code="400"), "unusable", "model"),
    ("mistral", 400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model",
     "code": "1500"}, "unusable", "model"),
    ("vllm", 404, {"object": "error", "message": "The model `x` does not exist.",
     "type": "NotFoundError", "param": None, "code": 404}, "unusable", "model"),
    ("ollama", 404, openai_error('model "x" not found, try pulling it first'),
     "unusable", "model"),
    ("openrouter", 400, {"error": {"message": "x is not a valid model ID", "code": 400}},
     "unusable", "model"),
    ("groq", 400, openai_error("The model `x` has been decommissioned and is no longer supported.",
     code="model_decommissioned"), "unusable", "model"),
    ("together", 404, openai_error("Unable to access model x. Please visit the list of models.",
     code="model_not_available"), "unusable", "model"),
    ("azure", 404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for "
     "this resource does not exist."}}, "unusable", "model"),
    ("gemini", 404, gemini("NOT_FOUND", "models/x is not found for API version v1main, or is not "
     "supported for generateContent.", code=404), "unusable", "model"),
    ("anthropic", 404, {"type": "error", "error": {"type": "not_found_error",
     "message": "model: claude-x"}}, "unusable", "model"),
    ("new-api", 503, openai_error("No available channel for model x under group default"),
     "unusable", "model"),
    ("one-api", 503, openai_error("当前分组 default 下对于模型 x 无可用渠道"), "unusable", "model"),
    ("openai-not-chat", 404, openai_error("This is not a chat model and thus not supported in the "
     "v1/chat/completions endpoint.", param="model"), "unusable", "model"),
    # addresses and permissions
    ("lm-studio-200", 200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
     "unusable", "address"),
    ("kong", 404, {"message": "no Route matched with those values"}, "unusable", "address"),
    ("ollama-without-v1", 404, "404 page not found", "unusable", "address"),
    ("istio", 403, "RBAC: access denied", "unusable", "access"),
    ("gemini-place", 400, gemini("FAILED_PRECONDITION", "User location is not supported for the "
     "API use."), "unusable", "access"),
    ("groq", 400, openai_error("Organization has been restricted. Please reach out to support.",
     code="organization_restricted"), "unusable", "access"),
    ("azure", 404, {"error": {"code": "404", "message": "Resource not found"}},
     "unusable", "address"),
    ("fastapi", 404, {"detail": "Not Found"}, "unusable", "address"),
    ("fastapi", 405, {"detail": "Method Not Allowed"}, "unusable", "address"),
    ("a-page", 400, "<!doctype html><title>Oh</title><p>The plain HTTP request was sent to HTTPS "
     "port</p>", "unusable", "address"),
    ("openai", 403, openai_error("Country, region, or territory not supported",
     code="unsupported_country_region_territory"), "unusable", "access"),
    ("gemini", 403, gemini("PERMISSION_DENIED", "The caller does not have permission", code=403),
     "unusable", "access"),
    # parameters
    ("openai", 400, openai_error("Unsupported parameter: 'max_tokens' is not supported with this "
     "model. Use 'max_completion_tokens' instead.", param="max_tokens",
     code="unsupported_parameter"), "unusable", "parameter"),
    ("openai", 400, openai_error("Unsupported value: 'temperature' does not support 0 with this "
     "model. Only the default (1) value is supported.", param="temperature"),
     "unusable", "parameter"),
    ("mistral", 422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"],
     "msg": "Extra inputs are not permitted"}]}, "unusable", "parameter"),
    ("anthropic", 400, {"type": "error", "error": {"type": "invalid_request_error",
     "message": "`temperature` is deprecated for this model."}}, "unusable", "parameter"),
    # schemas
    ("deepseek", 400, openai_error("This response_format type is unavailable now"),
     "no_schema", None),
    ("gemini", 400, gemini("INVALID_ARGUMENT", "Unknown name \"additionalProperties\" at "
     "'generation_config.response_schema': Cannot find field."), "no_schema", None),
    ("openai", 400, openai_error("Unsupported parameter.", param="response_format"),
     "no_schema", None),
    ("mistral", 422, {"detail": [{"loc": ["body", "response_format", "json_schema", "strict"],
     "type": "extra_forbidden", "msg": "not permitted"}]}, "no_schema", None),
    ("groq", 400, openai_error("'response_format.type' : value is not one of the allowed values "
     "['text','json_object']"), "no_schema", None),
    ("deepinfra", 405, {"status": "failure", "message": "json_object response format is not "
     "supported for model: x", "error": {"code": "405"}}, "no_schema", None),
    ("llama.cpp", 400, {"error": {"code": 400, "message": "Failed to initialize samplers: failed "
     "to parse grammar", "type": "invalid_request_error"}}, "no_schema", None),
    ("vllm", 400, {"object": "error", "message": "Invalid guided_json schema", "code": 400},
     "no_schema", None),
    # content policies: these captions
    ("openai", 400, openai_error("Your request was rejected.", code="content_policy_violation"),
     "refused", None),
    ("azure", 400, {"error": {"code": "content_filter", "message": "The response was filtered.",
     "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "refused", None),
    ("dashscope", 400, {"code": "data_inspection_failed", "message": "Input data may contain "
     "inappropriate content."}, "refused", None),
    ("dashscope-old", 400, {"code": "DataInspectionFailed", "message": "Output."}, "refused", None),
    ("deepseek", 400, openai_error("Content Exists Risk"), "refused", None),
    ("gemini", 400, gemini("SAFETY", "blocked"), "refused", None),
    ("openrouter", 403, {"error": {"code": 403, "message": "Input was flagged", "metadata":
     {"reasons": ["violence"]}}}, "refused", None),
    ("moonshot", 400, openai_error("The request was rejected because it was considered high risk",
     type="content_filter"), "refused", None),
    ("minimax-200", 200, {"choices": [], "base_resp": {"status_code": 1026,
     "status_msg": "input new_sensitive"}}, "refused", None),
    # no verdict in the form of the schema: these captions, and no word about the form
    ("groq", 400, openai_error("Failed to generate JSON. Please adjust your prompt. See "
     "'failed_generation'.", code="json_validate_failed", failed_generation="R2"), "unfit", None),
    ("groq", 400, openai_error("Generated JSON does not match the expected schema.",
     code="json_validate_failed", failed_generation='{"code": "insufficient_quota"}'),
     "unfit", None),
    # too long: these captions, though some name a parameter or the rate
    ("together", 422, openai_error("Input validation error: `inputs` tokens + `max_new_tokens` "
     "must be <= 4097. Given: 5000 `inputs` tokens", param="max_tokens"), "unfit", None),
    ("together", 403, openai_error("Input token count + max_tokens parameter must be less than the "
     "context length of the model. Set max_tokens to a lower number."), "unfit", None),
    ("tgi", 422, {"error": "Input validation error: `inputs` must have less than 1024 tokens.",
     "error_type": "validation"}, "unfit", None),
    ("vllm-old", 400, openai_error("max_tokens must be at least 1, got -300.", param="max_tokens"),
     "unfit", None),
    ("vllm-old", 400, openai_error("The decoder prompt (length 5000) is longer than the maximum "
     "model length of 4096."), "unfit", None),
    ("anthropic", 400, openai_error("input length and `max_tokens` exceed context limit: 199000 + "
     "2000 > 200000, decrease input length or `max_tokens`"), "unfit", None),
    ("groq", 413, openai_error("Request too large for model `x` in organization `o` on tokens per "
     "minute (TPM): Limit 6000, Requested 7000, please reduce your message size. Upgrade at "
     "https://console.groq.com/settings/billing", code="rate_limit_exceeded"), "unfit", None),
    ("openai", 429, openai_error("Request too large for gpt-4.1 on tokens per min (TPM): Limit "
     "30000, Requested 51024. The input or output tokens must be reduced.", type="tokens",
     code="rate_limit_exceeded"), "unfit", None),
    ("lm-studio", 400, {"error": "Trying to keep the first 4567 tokens when context the overflows. "
     "However, the model is loaded with context length of only 4096 tokens"}, "unfit", None),
    ("xai", 400, {"error": "This model's maximum prompt length is 131072 but the request contains "
     "537812 tokens."}, "unfit", None),
    ("dashscope", 400, openai_error("Range of input length should be [1, 30720]",
     code="invalid_parameter_error"), "unfit", None),
    ("moonshot", 400, openai_error("Invalid request: Your request exceeded model token limit: 99"),
     "unfit", None),
    ("zhipu", 400, {"error": {"code": "1261", "message": "Prompt 超长"}}, "unfit", None),
    ("nginx", 413, "<html><head><title>413 Request Entity Too Large</title></head></html>",
     "unfit", None),
    ("vllm", 400, {"object": "error", "message": "This model's maximum context length is 2048 "
     "tokens. However, you requested 3000 tokens. Reduce max_tokens.", "code": 400},
     "unfit", None),
    ("llama.cpp", 400, {"error": {"code": 400, "type": "exceed_context_size_error",
     "message": "the request exceeds the available context size"}}, "unfit", None),
    # the rate
    ("openai", 429, openai_error(OVER_LIMIT + "tokens per min (TPM): Limit 30000, Used 30000. "
     "Please try again in 6ms. You can increase your rate limit by adding a payment method at "
     "https://platform.openai.com/account/billing.", code="rate_limit_exceeded"),
     "throttled", None),
    ("gemini-minute", 429, gemini("RESOURCE_EXHAUSTED", GEMINI_QUOTA, quota(PER_MINUTE)),
     "throttled", None),
    ("gemini-short", 429, gemini("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check "
     "quota)."), "throttled", None),
    ("openrouter", 429, {"error": {"message": "Provider returned error", "code": 429, "metadata":
     {"raw": "x is temporarily rate-limited upstream. Please retry shortly, or add your own key"}}},
     "throttled", None),
    ("dashscope", 429, {"code": "Throttling.AllocationQuota", "message": "Allocated quota "
     "exceeded, please increase your quota limit."}, "throttled", None),
    ("azure", 429, {"error": {"code": "RateLimitReached", "message": "Your requests to gpt-4.1 "
     "have exceeded the call rate limit for your current pricing tier. Please retry after 60 "
     "seconds. For Free Account customers, upgrade to Pay as you Go."}}, "throttled", None),
    ("bedrock-by-litellm", 400, openai_error("litellm.BadRequestError: BedrockException - "
     '{"message":"ThrottlingException: Too many requests, please wait before trying again."}'),
     "throttled", None),
    ("mistral", 429, {"object": "error", "message": "Service tier capacity exceeded for this model",
     "type": "service_tier_capacity_exceeded", "code": "3505"}, "throttled", None),
    ("cerebras", 429, {"message": "Requests per minute limit exceeded - too many requests sent.",
     "param": "quota", "code": "request_quota_exceeded"}, "throttled", None),
    ("tgi", 429, {"error": "Model is overloaded", "error_type": "overloaded"}, "throttled", None),
    ("plain", 429, "Too Many Requests", "throttled", None),
    ("silent", 429, "", "throttled", None),
    # what passes
    ("anthropic", 529, {"type": "error", "error": {"type": "overloaded_error",
     "message": "Overloaded"}}, "failing", None),
    ("gemini", 503, gemini("UNAVAILABLE", "The model is overloaded. Please try again later.",
     code=503), "failing", None),
    ("nginx", 502, "<html><head><title>502 Bad Gateway</title></head></html>", "failing", None),
    ("huggingface", 503, {"error": "Model x is currently loading", "estimated_time": 20.0},
     "failing", None),
    ("openrouter-200", 200, {"message": "Provider returned error", "code": 502}, "failing", None),
    ("openrouter-200", 200, {"message": "Provider returned error", "code": 429}, "throttled", None),
    ("openrouter-200", 200, {"message": "Insufficient credits", "code": 402}, "unusable", "credit"),
    ("tgi", 424, {"error": "Request failed during generation: CUDA out of memory",
     "error_type": "generation"}, "failing", None),
    ("groq", 498, openai_error("Flex tier capacity exceeded, please try again later"),
     "failing", None),
    ("haproxy", 408, "<html><body><h1>408 Request Time-out</h1></body></html>", "failing", None),
    ("llama.cpp", 503, {"error": {"code": 503, "message": "Loading model",
     "type": "unavailable_error"}}, "failing", None),
    ("ollama", 500, openai_error("model requires more system memory (5.6 GiB) than is available"),
     "failing", None),
    ("istio", 503, "upstream connect error or disconnect/reset before headers", "failing", None),
    ("openrouter-down", 502, {"error": {"code": 502, "message": "Your chosen model is down or we "
     "received an invalid response from it"}}, "failing", None),
    # by type alone, in other words, at another status
    ("bedrock", 400, {"__type": "ThrottlingException", "message": "Too many requests."},
     "throttled", None),
    ("bedrock-token", 403, {"message": "The security token included in the request is expired"},
     "unusable", "key"),
    ("bedrock-type", 403, {"__type": "com.amazon.coral.service#ExpiredTokenException"},
     "unusable", "key"),
    ("bedrock-signature", 403, {"message": "The request signature we calculated does not match the "
     "signature you provided."}, "unusable", "key"),
    ("bedrock-model", 400, {"message": "Invocation of model ID x with on-demand throughput "
     "isn\u2019t supported. Retry your request with the ID or ARN of an inference profile."},
     "unusable", "model"),
    ("apigee", 429, {"fault": {"faultstring": "Spike arrest violation. Allowed rate : 1ps",
     "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"}}}, "throttled", None),
    ("azure-version", 400, {"error": {"code": "BadRequest", "message": "API version not "
     "supported"}}, "unusable", "address"),
    ("zhipu-filter", 400, {"error": {"code": "1301", "message": "输入或生成内容可能包含不安全或"
     "敏感内容"}}, "refused", None),
    ("xai-filter", 403, {"error": "Content violates usage guidelines. Failed check: "
     "SAFETY_CHECK_TYPE_BIO"}, "refused", None),
    ("cohere-trial", 429, {"message": "You are using a Trial key, which is limited to 1000 API "
     "calls / month."}, "unusable", "quota"),
    ("huggingface-paused", 400, {"error": "Bad Request: Invalid state: The endpoint is paused, ask "
     "a maintainer to restart it"}, "unusable", "address"),
    ("openai-ip", 401, openai_error("Your IP is not authorized", code="ip_not_authorized"),
     "unusable", "access"),
    ("openai-verified", 400, openai_error("Your organization must be verified to use the model "
     "`o9`."), "unusable", "access"),
    ("openai-responses", 404, openai_error("This model is only supported in v1/responses and not "
     "in v1/chat/completions."), "unusable", "model"),
    # no word of a reason
    ("dashscope", 400, openai_error("parameter.enable_thinking must be set to false for "
     "non-streaming calls", code="invalid_parameter_error"), "rejected", None),
    ("plain", 400, "Bad Request", "rejected", None),
    ("list", 400, [], "rejected", None),
    ("null", 422, "null", "rejected", None),
]  # fmt: skip
