// How Node reads messages: a JSON string a line in, a reading a line out, `null` for what is no JSON.
import {createInterface} from 'node:readline';

const REVISION = 'io.modelcontextprotocol/protocolVersion';
const text = value => (typeof value === 'string' ? value : null);
const own = (value, name) =>
    value !== null && typeof value === 'object' && !Array.isArray(value) && Object.hasOwn(value, name)
        ? value[name]
        : undefined;

function reading(message) {
    const params = own(message, 'params');
    const reference = own(params, 'ref');
    const subscriptions = own(own(params, 'notifications'), 'resourceSubscriptions');
    return [
        own(message, 'id') !== undefined,
        text(own(message, 'method')),
        text(own(params, 'name')),
        text(own(params, 'uri')),
        ['type', 'name', 'uri'].map(name => text(own(reference, name))),
        text(own(own(params, '_meta'), REVISION)),
        Array.isArray(subscriptions) ? subscriptions.filter(item => typeof item === 'string') : [],
    ];
}

for await (const line of createInterface({input: process.stdin})) {
    let answer = null;
    try {
        const body = JSON.parse(JSON.parse(line));
        answer = (Array.isArray(body) ? body : [body]).map(reading);
    } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
    }
    console.log(JSON.stringify(answer));
}
