//! Vendors in China; where one runs an international platform too, with keys of its own, that is a row as well.

use super::super::Preset;
use super::{CLIENTS, LITELLM, LOBE};
use crate::providers::Capability::{
    Batches, Chat, Completions, Embeddings, Files, Images, Messages, Models, Rerank, Responses, Speech, Transcription,
};
use crate::providers::{MaxTokens, ParallelTools, Prefill, Quirks, Replay, Schema, StreamUsage, User};

/// Of a vendor whose pages do not say that `stream_options` is taken, or that end every stream with the usage anyway.
const UNASKED: Quirks =
    Quirks { stream_usage: StreamUsage::Always, parallel_tools: ParallelTools::Fixed, ..Quirks::COMPATIBLE };

const QWEN: Quirks = Quirks { prefill: Prefill::Flag("partial"), ..Quirks::COMPATIBLE };

const KIMI: Quirks = Quirks {
    replay: Replay::Required,
    parallel_tools: ParallelTools::Fixed,
    schema: Schema::JsonSchema,
    prefill: Prefill::Flag("partial"),
    ..Quirks::COMPATIBLE
};

const GLM: Quirks = Quirks { seed: None, replay: Replay::Kept, ..UNASKED };

pub(super) const ROWS: &[Preset] = &[
    Preset::compatible(
        "tongyi",
        "Alibaba Model Studio (Tongyi, Bailian)",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
    )
    .also(&["dashscope", "bailian", "qwen", "aliyun"])
    .serves(&[Chat, Responses, Messages, Embeddings, Rerank, Batches, Files, Models])
    .paths(&[
        (Messages, "https://dashscope.aliyuncs.com/apps/anthropic/v1/messages"),
        (Rerank, "https://dashscope.aliyuncs.com/compatible-api/v1/reranks"),
    ])
    .quirks(QWEN)
    .source("https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope", LITELLM),
    Preset::compatible(
        "tongyi_intl",
        "Alibaba Model Studio, international",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    )
    .also(&["dashscope_intl", "qwencloud", "qwen_ai_platform"])
    .serves(&[Chat, Responses, Messages, Embeddings, Rerank, Batches, Files, Models])
    .paths(&[
        (Messages, "https://dashscope-intl.aliyuncs.com/apps/anthropic/v1/messages"),
        (Rerank, "https://dashscope-intl.aliyuncs.com/compatible-api/v1/reranks"),
    ])
    .quirks(QWEN)
    .source("https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope", LITELLM),
    Preset::compatible("moonshot_cn", "Moonshot AI (Kimi), China", "https://api.moonshot.cn/v1")
        .serves(&[Chat, Messages, Files, Models])
        .paths(&[(Messages, "https://api.moonshot.cn/anthropic/v1/messages")])
        .quirks(KIMI)
        .source("https://platform.moonshot.cn/docs/api/chat", LOBE),
    Preset::compatible("moonshot", "Moonshot AI (Kimi)", "https://api.moonshot.ai/v1")
        .also(&["kimi"])
        .serves(&[Chat, Messages, Files, Models])
        .paths(&[(Messages, "https://api.moonshot.ai/anthropic/v1/messages")])
        .quirks(KIMI)
        .source("https://platform.moonshot.ai/docs/api/chat", LITELLM),
    Preset::compatible("zhipuai", "Zhipu AI (GLM)", "https://open.bigmodel.cn/api/paas/v4")
        .also(&["zhipu", "bigmodel", "glm"])
        .serves(&[Chat, Messages, Embeddings, Images, Speech, Transcription, Rerank, Batches, Files])
        .paths(&[(Messages, "https://open.bigmodel.cn/api/anthropic/v1/messages")])
        .quirks(GLM)
        .source("https://docs.bigmodel.cn/cn/guide/develop/openai/introduction", LITELLM),
    Preset::compatible("zai", "Z.ai (GLM), international", "https://api.z.ai/api/paas/v4")
        .also(&["z_ai"])
        .serves(&[Chat, Messages, Images])
        .paths(&[(Messages, "https://api.z.ai/api/anthropic/v1/messages")])
        .quirks(GLM)
        .source("https://docs.z.ai/guides/develop/openai/python", LITELLM),
    Preset::compatible("volcengine", "Volcengine Ark (Doubao)", "https://ark.cn-beijing.volces.com/api/v3")
        .also(&["volcengine_maas", "doubao", "ark"])
        .serves(&[Chat, Responses, Embeddings, Images, Files, Models])
        .quirks(Quirks {
            parallel_tools: ParallelTools::Sent,
            prefill: Prefill::LastMessage,
            replay: Replay::Kept,
            seed: None,
            ..Quirks::COMPATIBLE
        })
        .source("https://www.volcengine.com/docs/82379/1494384", LITELLM),
    Preset::compatible("wenxin", "Baidu Qianfan (Wenxin, ERNIE)", "https://qianfan.baidubce.com/v2")
        .also(&["qianfan", "ernie", "baidu"])
        .serves(&[Chat, Embeddings, Images, Rerank, Models])
        .paths(&[(Rerank, "/rerankers")])
        .source("https://cloud.baidu.com/doc/qianfan-api/s/3m9b5lqft", LOBE),
    Preset::compatible("hunyuan", "Tencent Hunyuan", "https://api.hunyuan.cloud.tencent.com/v1")
        .serves(&[Chat, Embeddings])
        .quirks(UNASKED)
        .source("https://cloud.tencent.com/document/product/1729/111007", LOBE),
    Preset::compatible("tencent", "Tencent TokenHub, international", "https://tokenhub-intl.tencentcloudmaas.com/v1")
        .also(&["tencent_tokenhub"])
        .serves(&[Chat, Images, Models])
        .source("https://www.tencentcloud.com/products/tokenhub", LITELLM),
    Preset::compatible("tencent_lkeap", "Tencent Knowledge Engine", "https://api.lkeap.cloud.tencent.com/v1")
        .serves(&[Chat])
        .quirks(UNASKED)
        .source("https://cloud.tencent.com/document/product/1772/115969", LOBE),
    Preset::compatible("spark", "iFLYTEK Spark", "https://spark-api-open.xf-yun.com/v1")
        .also(&["xinghuo", "iflytek", "xunfei"])
        .serves(&[Chat])
        // The key is the console's API password; X1 and X2 have base URLs of their own, which end in `/v2` and `/x2`.
        .quirks(Quirks { user: User::Refused, seed: None, ..UNASKED })
        .source("https://www.xfyun.cn/doc/spark/HTTP%E8%B0%83%E7%94%A8%E6%96%87%E6%A1%A3.html", LOBE),
    Preset::compatible("baichuan", "Baichuan", "https://api.baichuan-ai.com/v1")
        .serves(&[Chat, Embeddings])
        .quirks(Quirks { seed: None, ..UNASKED })
        .source("https://platform.baichuan-ai.com/docs/api", LOBE),
    Preset::compatible("minimax_cn", "MiniMax, China", "https://api.minimaxi.com/v1")
        .serves(&[Chat, Messages, Models])
        .paths(&[(Messages, "https://api.minimaxi.com/anthropic/v1/messages")])
        .quirks(Quirks { parallel_tools: ParallelTools::Fixed, replay: Replay::Kept, ..Quirks::COMPATIBLE })
        .source("https://platform.minimaxi.com/docs/api-reference/text-openai-api", LOBE),
    Preset::compatible("minimax", "MiniMax", "https://api.minimax.io/v1")
        .serves(&[Chat, Messages, Models])
        .paths(&[(Messages, "https://api.minimax.io/anthropic/v1/messages")])
        .quirks(Quirks { parallel_tools: ParallelTools::Fixed, replay: Replay::Kept, ..Quirks::COMPATIBLE })
        .source("https://platform.minimax.io/docs/api-reference/text-openai-api", LITELLM),
    Preset::compatible("yi", "01.AI (Yi)", "https://api.lingyiwanwu.com/v1")
        .also(&["lingyiwanwu", "zeroone", "01ai"])
        .quirks(UNASKED)
        .source("https://platform.lingyiwanwu.com/docs/api-reference", LOBE),
    Preset::compatible("stepfun", "StepFun", "https://api.stepfun.com/v1")
        .serves(&[Chat, Messages, Images, Speech, Transcription, Files, Models])
        .quirks(UNASKED)
        .source("https://platform.stepfun.com/docs/api-reference/chat/chat-completion-create", LOBE),
    Preset::compatible("siliconflow_cn", "SiliconFlow, China", "https://api.siliconflow.cn/v1")
        .also(&["siliconcloud"])
        .serves(&[
            Chat,
            Messages,
            Completions,
            Embeddings,
            Images,
            Speech,
            Transcription,
            Rerank,
            Batches,
            Files,
            Models,
        ])
        .quirks(Quirks { parallel_tools: ParallelTools::Fixed, ..Quirks::COMPATIBLE })
        .source("https://docs.siliconflow.cn/cn/api-reference/chat-completions/chat-completions", LOBE),
    Preset::compatible("siliconflow", "SiliconFlow", "https://api.siliconflow.com/v1")
        .serves(&[Chat, Messages, Completions, Embeddings, Images, Speech, Transcription, Rerank, Models])
        .quirks(Quirks { parallel_tools: ParallelTools::Fixed, ..Quirks::COMPATIBLE })
        .source("https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions", CLIENTS),
    Preset::compatible("zhinao", "360 Zhinao", "https://api.360.cn/v1")
        .also(&["ai360", "360"])
        .quirks(UNASKED)
        .source("https://ai.360.com/open/docs", LOBE),
    Preset::compatible("perfxcloud", "PerfXCloud", "https://cloud.perfxlab.cn/v1")
        .also(&["perfxlab"])
        .serves(&[Chat, Embeddings, Models])
        .quirks(UNASKED)
        .source("https://cloud.perfxlab.cn/docs", CLIENTS),
    Preset::compatible("modelscope", "ModelScope", "https://api-inference.modelscope.cn/v1")
        .source("https://www.modelscope.cn/docs/model-service/API-Inference/intro", LITELLM),
    Preset::compatible("sensenova", "SenseNova", "https://api.sensenova.cn/compatible-mode/v1")
        .also(&["sensetime"])
        .serves(&[Chat, Embeddings])
        .quirks(UNASKED)
        .source("https://www.sensecore.cn/help/docs/model-as-a-service/nova/overview/compatible-mode", LOBE),
    Preset::compatible("internlm", "InternLM", "https://internlm-chat.intern-ai.org.cn/puyu/api/v1")
        .also(&["intern"])
        .quirks(UNASKED)
        .source("https://internlm.intern-ai.org.cn/api/document", LOBE),
    Preset::compatible("infini", "Infinigence GenStudio", "https://cloud.infini-ai.com/maas/v1")
        .also(&["infiniai"])
        .serves(&[Chat, Embeddings, Rerank, Models])
        .source("https://docs.infini-ai.com/gen-studio/api/maas.html", LOBE),
    Preset::compatible("gitee", "Gitee AI", "https://ai.gitee.com/v1")
        .also(&["giteeai", "gitee_ai"])
        .serves(&[Chat, Embeddings, Images, Speech, Transcription, Rerank, Models])
        .quirks(UNASKED)
        .source("https://ai.gitee.com/docs/openapi/v1", LOBE),
    Preset::compatible("qiniu", "Qiniu AI", "https://openai.qiniu.com/v1")
        .source("https://developer.qiniu.com/aitokenapi", LOBE),
    Preset::compatible("ppio", "PPIO", "https://api.ppinfra.com/v3/openai")
        .serves(&[Chat, Completions, Embeddings, Models])
        .source("https://ppio.com/docs/model/llm", LOBE),
    Preset::compatible("xiaomi_mimo", "Xiaomi MiMo", "https://api.xiaomimimo.com/v1")
        .also(&["mimo"])
        .serves(&[Chat, Models])
        .quirks(Quirks { parallel_tools: ParallelTools::Fixed, ..Quirks::COMPATIBLE })
        .source("https://platform.xiaomimimo.com/", LITELLM),
    Preset::compatible("streamlake", "StreamLake (Kuaishou)", "https://vanchin.streamlake.ai/api/gateway/v1/endpoints")
        .also(&["vanchin"])
        .serves(&[Chat])
        .quirks(Quirks { max_tokens: MaxTokens::MaxCompletionTokens, ..Quirks::COMPATIBLE })
        .source("https://www.streamlake.ai/document", LITELLM),
];
