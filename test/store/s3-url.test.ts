import { describe, expect, test } from 'vitest';
import { isAws } from '../../src/store/s3-client.ts';
import { parseS3Url } from '../../src/store/s3-url.ts';

describe('the URL of an S3 store', () => {
  test('names everything', () => {
    expect(
      parseS3Url(
        's3://my-bucket/some/prefix/?endpoint=http://127.0.0.1:9000&region=eu-west-3&pathStyle=false&storageClass=STANDARD_IA&sse=aws:kms&sseKmsKeyId=arn:aws:kms:eu-west-3:1:key/a',
      ),
    ).toEqual({
      bucket: 'my-bucket',
      prefix: 'some/prefix/',
      endpoint: new URL('http://127.0.0.1:9000'),
      region: 'eu-west-3',
      pathStyle: false,
      storageClass: 'STANDARD_IA',
      sse: 'aws:kms',
      sseKmsKeyId: 'arn:aws:kms:eu-west-3:1:key/a',
    });
  });

  test.each([
    ['s3://my-bucket', '', false],
    ['s3://my-bucket/', '', false],
    ['s3://my-bucket/a', 'a/', false],
    ['s3://my-bucket/a/b/?endpoint=https://s3.example.com', 'a/b/', true],
    ['s3://my.Bucket_1?endpoint=https://s3.example.com', '', true],
  ])('%s has the prefix %j and path style %s', (url, prefix, pathStyle) => {
    expect(parseS3Url(url)).toMatchObject({ prefix, pathStyle });
  });

  test.each([
    ['s3://', /bucket|URL/],
    ['s3:///prefix', /bucket|URL/],
    ['s3://b', /bucket/],
    ['s3://key:secret@my-bucket', /credentials/],
    ['s3://my-bucket?endPoint=http://x', /endPoint.*known: endpoint, region/],
    ['s3://my-bucket?region=a&region=b', /region.*twice/],
    ['s3://my-bucket?endpoint=ftp://x', /endpoint/],
    ['s3://my-bucket?endpoint=localhost:9000', /endpoint/],
    ['s3://my-bucket?endpoint=http://key:secret@x', /endpoint.*credentials/],
    ['s3://my-bucket?pathStyle=maybe', /pathStyle.*true or false/],
    ['s3://my-bucket?sse=rot13', /sse/],
    ['s3://my-bucket?sseKmsKeyId=x', /sseKmsKeyId without sse/],
    ['s3://my-bucket?region=eu west', /region/],
    ['s3://my-bucket/a//b', /prefix/],
    ['s3://my-bucket/a b', /prefix/],
  ])('%s is refused', (url, message) => {
    expect(() => parseS3Url(url)).toThrow(
      expect.objectContaining({
        code: 'CONFIG',
        message: expect.stringMatching(message) as string,
        hint: expect.any(String) as string,
      }) as Error,
    );
  });

  test('what it refuses does not repeat a secret', () => {
    expect(() => parseS3Url('s3://key:canary-secret@my-bucket')).toThrow(/^(?!.*canary).*$/);
  });

  test.each([
    ['s3://my-bucket', true],
    ['s3://my-bucket?endpoint=https://s3.eu-west-3.amazonaws.com', true],
    ['s3://my-bucket?endpoint=https://s3.cn-north-1.amazonaws.com.cn', true],
    ['s3://my-bucket?endpoint=https://amazonaws.com.example.org', false],
    ['s3://my-bucket?endpoint=http://127.0.0.1:9000', false],
  ])('%s is AWS: %s', (url, aws) => {
    expect(isAws(parseS3Url(url))).toBe(aws);
  });
});
