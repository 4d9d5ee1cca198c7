/** A real S3 server for the bench (Ceph's radosgw, as in the tests), and buckets on it. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { TalkingChild } from './child.ts';

export interface Bucket {
  /** For `LIVESTOW_STORE`. */
  location: string;
  env: { AWS_ACCESS_KEY_ID: string; AWS_SECRET_ACCESS_KEY: string; AWS_REGION: string };
}

/** How to reach it, and as whom. */
interface Access {
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

export class S3Server {
  readonly #child: TalkingChild;
  readonly #access: Access;

  private constructor(child: TalkingChild, access: Access) {
    this.#child = child;
    this.#access = access;
  }

  /** Throws where it cannot be started; the script says why. */
  static async start(folder: string): Promise<S3Server> {
    const script = join(import.meta.dirname, '..', 'scripts', 's3-server.sh');
    const child = new TalkingChild(script, ['run', folder]);
    return new S3Server(child, await child.hear());
  }

  get access(): Readonly<Access> {
    return this.#access;
  }

  /** @param through another address of the server: something between that makes faults */
  async newBucket(through = this.#access.endpoint): Promise<Bucket> {
    const { endpoint, region, accessKeyId, secretAccessKey } = this.#access;
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
    const bucket = `bench-${randomUUID()}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    return {
      location: `s3://${bucket}/archive?endpoint=${through}&region=${region}&pathStyle=true`,
      env: {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_REGION: region,
      },
    };
  }

  async stop(): Promise<void> {
    await this.#child.ended();
  }
}
