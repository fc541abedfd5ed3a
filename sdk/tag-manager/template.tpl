___INFO___

{
  "type": "TAG",
  "id": "cvt_recsite",
  "version": 1,
  "securityGroups": [],
  "displayName": "Recsite",
  "categories": ["PERSONALIZATION", "ANALYTICS"],
  "brand": { "id": "recsite", "displayName": "Recsite" },
  "description": "Loads Recsite: it tracks what shoppers do, from the data layer, and fills recommendation widgets.",
  "containerContexts": ["WEB"]
}


___TEMPLATE_PARAMETERS___

[
  {
    "type": "TEXT",
    "name": "key",
    "displayName": "Publishable key (pk_…), from Embed in the admin",
    "simpleValueType": true,
    "valueValidators": [
      { "type": "NON_EMPTY" },
      { "type": "REGEX", "args": ["^pk_\\w+$"], "errorMessage": "A publishable key begins with pk_; a secret one never goes into a page." }
    ]
  },
  {
    "type": "TEXT",
    "name": "host",
    "displayName": "Where Recsite runs, such as https://recs.example.com",
    "simpleValueType": true,
    "valueValidators": [
      { "type": "NON_EMPTY" },
      { "type": "REGEX", "args": ["^https://[^/]+$"], "errorMessage": "An https address without a path." }
    ]
  },
  {
    "type": "CHECKBOX",
    "name": "readsLayer",
    "checkboxText": "Read e-commerce events and consent from the data layer",
    "defaultValue": true,
    "simpleValueType": true
  },
  {
    "type": "TEXT",
    "name": "layer",
    "displayName": "Name of the data layer",
    "defaultValue": "dataLayer",
    "simpleValueType": true,
    "enablingConditions": [{ "paramName": "readsLayer", "paramValue": true, "type": "EQUALS" }]
  },
  {
    "type": "SELECT",
    "name": "consent",
    "displayName": "Until the shopper chooses, where nobody on the page says it",
    "selectItems": [
      { "value": "granted", "displayValue": "granted" },
      { "value": "pending", "displayValue": "pending" },
      { "value": "denied", "displayValue": "denied" }
    ],
    "defaultValue": "pending",
    "simpleValueType": true
  },
  {
    "type": "CHECKBOX",
    "name": "countsPages",
    "checkboxText": "Count page views",
    "defaultValue": true,
    "simpleValueType": true
  }
]


___SANDBOXED_JS_FOR_WEB_TEMPLATE___

// Tag Manager strips attributes of a script tag, so key and options go into window.recsite, which the script reads.
const createArgumentsQueue = require('createArgumentsQueue');
const copyFromWindow = require('copyFromWindow');
const injectScript = require('injectScript');
const logToConsole = require('logToConsole');
const setInWindow = require('setInWindow');

const host = data.host;

if (!copyFromWindow('rec')) createArgumentsQueue('rec', 'rec.q');

const options = {
  key: data.key,
  host: host,
  consent: data.consent,
  auto: data.countsPages ? 'true' : 'false'
};
if (data.readsLayer) options.datalayer = data.layer || 'dataLayer';
setInWindow('recsite', options, true);

injectScript(host + '/r/v1/rec.js', data.gtmOnSuccess, () => {
  logToConsole('Recsite: ' + host + '/r/v1/rec.js did not load; is the host right, and in the Content-Security-Policy?');
  data.gtmOnFailure();
}, 'recsite');


___WEB_PERMISSIONS___

[
  {
    "instance": {
      "key": { "publicId": "access_globals", "versionId": "1" },
      "param": [
        {
          "key": "keys",
          "value": {
            "type": 2,
            "listItem": [
              {
                "type": 3,
                "mapKey": [{ "type": 1, "string": "key" }, { "type": 1, "string": "read" }, { "type": 1, "string": "write" }, { "type": 1, "string": "execute" }],
                "mapValue": [{ "type": 1, "string": "rec" }, { "type": 8, "boolean": true }, { "type": 8, "boolean": true }, { "type": 8, "boolean": false }]
              },
              {
                "type": 3,
                "mapKey": [{ "type": 1, "string": "key" }, { "type": 1, "string": "read" }, { "type": 1, "string": "write" }, { "type": 1, "string": "execute" }],
                "mapValue": [{ "type": 1, "string": "rec.q" }, { "type": 8, "boolean": true }, { "type": 8, "boolean": true }, { "type": 8, "boolean": false }]
              },
              {
                "type": 3,
                "mapKey": [{ "type": 1, "string": "key" }, { "type": 1, "string": "read" }, { "type": 1, "string": "write" }, { "type": 1, "string": "execute" }],
                "mapValue": [{ "type": 1, "string": "recsite" }, { "type": 8, "boolean": true }, { "type": 8, "boolean": true }, { "type": 8, "boolean": false }]
              }
            ]
          }
        }
      ]
    },
    "clientAnnotations": { "isEditedByUser": true },
    "isRequired": true
  },
  {
    "instance": {
      "key": { "publicId": "inject_script", "versionId": "1" },
      "param": [
        { "key": "urls", "value": { "type": 2, "listItem": [{ "type": 1, "string": "https://*/r/v1/rec.js" }] } }
      ]
    },
    "clientAnnotations": { "isEditedByUser": true },
    "isRequired": true
  },
  {
    "instance": {
      "key": { "publicId": "logging", "versionId": "1" },
      "param": [{ "key": "environments", "value": { "type": 1, "string": "debug" } }]
    },
    "isRequired": true
  }
]


___TESTS___

scenarios:
- name: Hands key and options over, then loads the script
  code: |-
    runCode({key: 'pk_1', host: 'https://recs.example.com', readsLayer: true, layer: 'myLayer', consent: 'pending', countsPages: true});
    assertApi('setInWindow').wasCalledWith('recsite', {key: 'pk_1', host: 'https://recs.example.com', consent: 'pending', auto: 'true', datalayer: 'myLayer'}, true);
    assertApi('createArgumentsQueue').wasCalledWith('rec', 'rec.q');
    assertApi('injectScript').wasCalled();
    assertApi('gtmOnSuccess').wasCalled();
- name: Reads no layer where it shall not, and leaves page views to the shop
  code: |-
    runCode({key: 'pk_1', host: 'https://recs.example.com', readsLayer: false, layer: 'dataLayer', consent: 'granted', countsPages: false});
    assertApi('setInWindow').wasCalledWith('recsite', {key: 'pk_1', host: 'https://recs.example.com', consent: 'granted', auto: 'false'}, true);
- name: Leaves a tracker that is there alone
  code: |-
    mock('copyFromWindow', () => () => undefined);
    runCode({key: 'pk_1', host: 'https://recs.example.com', consent: 'pending'});
    assertApi('createArgumentsQueue').wasNotCalled();
- name: Says that the script did not load
  code: |-
    mock('injectScript', (url, onSuccess, onFailure) => onFailure());
    runCode({key: 'pk_1', host: 'https://recs.example.com', consent: 'pending'});
    assertApi('logToConsole').wasCalled();
    assertApi('gtmOnFailure').wasCalled();
    assertApi('gtmOnSuccess').wasNotCalled();


___NOTES___

Version 1. Made for the script of Recsite 1.1 or newer, which reads window.recsite.
